// Makes the fake model an executable like those that `vernier build` makes: 10 classes of grey 28 x 28
// images.
#include "tests/runtime/FakeModel.h"
#include "vernier/vernier.h"

const vn_model *vernier_model(void) { return &vernier::test::FakeModel<8, 1, 28, 28, 10>::model; }
