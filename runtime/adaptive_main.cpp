#include "vernier/vernier.h"

int main(int argc, char **argv) { return vn_adaptive_main(argc, argv, vernier_adaptive()); }
