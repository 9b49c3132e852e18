#include "vernier/vernier.h"

int main(int argc, char **argv) { return vn_main(argc, argv, vernier_model()); }
