#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Support.h"

#include "runtime/data/Dataset.h"
#include "runtime/data/Loader.h"

#include <numeric>
#include <zlib.h>

using namespace vernier::runtime;
using namespace vernier::test;

namespace fs = std::filesystem;

static const std::string images = VERNIER_CORPUS "/image/";

BOOST_AUTO_TEST_SUITE(data)

BOOST_AUTO_TEST_CASE(idx_plain_and_compressed) {
  TemporaryFolder folder;
  writeIdxDataset(folder.text(), 40, 12);
  const auto training = openDataset(folder.text(), Split::Training);
  BOOST_TEST(training->size() == 40);
  BOOST_TEST(training->label(3) == 1);
  BOOST_TEST(training->image(3).width == 12);
  BOOST_TEST(openDataset(folder.text(), Split::Test)->size() == 10);

  for (const std::string name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"}) {
    const std::string text = readText(folder / name);
    gzFile file = gzopen((folder / (name + ".gz")).c_str(), "wb");
    gzwrite(file, text.data(), unsigned(text.size()));
    gzclose(file);
    fs::remove(folder / name);
  }
  const auto compressed = openDataset(folder.text(), Split::Training);
  BOOST_TEST(compressed->image(39).pixels == training->image(39).pixels);

  const std::string path = folder / "train-images-idx3-ubyte.gz", text = readText(path);
  writeText(path, text.substr(0, text.size() / 2));
  expectError(VN_ERROR_FORMAT, "the gzip file is truncated\n  --> " + path,
              [&] { openDataset(folder.text(), Split::Training); });
  writeText(path, text.substr(0, 40) + std::string(100, 'x') + text.substr(140));
  expectError(VN_ERROR_FORMAT, "the gzip file is damaged",
              [&] { openDataset(folder.text(), Split::Training); });
}

BOOST_AUTO_TEST_CASE(gzip_expands_to_the_limit_only) {
  std::vector<unsigned char> zeros(1 << 20), packed(1 << 16);
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY);
  stream.next_in = zeros.data(), stream.avail_in = unsigned(zeros.size());
  stream.next_out = packed.data(), stream.avail_out = unsigned(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  BOOST_TEST(expandGzip(packed, zeros.size(), "z") == zeros);
  expectError(VN_ERROR_FORMAT, "expands to more than 1023.0 KiB",
              [&] { expandGzip(packed, 1023 << 10, "z"); });
}

BOOST_AUTO_TEST_CASE(idx_headers_are_checked) {
  const std::vector<unsigned char> labels = {0, 0, 8, 1, 0, 0, 0, 2, 5, 6};
  std::vector<unsigned char> good = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4};
  BOOST_TEST(parseIdx(good, labels, "i", "l")->image(1).pixels == (std::vector<uint8_t>{3, 4}));
  auto refuse = [&](const std::string &text, size_t at, unsigned char value) {
    std::vector<unsigned char> bad = good;
    bad[at] = value;
    expectError(VN_ERROR_FORMAT, text, [&] { parseIdx(bad, labels, "i", "l"); });
  };
  refuse("it begins with 00000903", 2, 9);
  refuse("announces 6 bytes of data, 4 are there\n  --> i", 7, 3);
  refuse("announces", 4, 255); // billions of images
  refuse("announces 0 bytes", 11, 0);
  expectError(VN_ERROR_FORMAT, "shorter than its header",
              [&] { parseIdx(std::vector<unsigned char>{0, 0}, labels, "i", "l"); });
  good[7] = 1, good[11] = 2;
  expectError(VN_ERROR_FORMAT, "there are 1 images and 2 labels", [&] { parseIdx(good, labels, "i", "l"); });
}

BOOST_AUTO_TEST_CASE(cifar) {
  TemporaryFolder folder;
  std::string record(3074, '\0');
  record[0] = 3, record[1] = 77;
  record[2] = 10, record[2 + 1024] = 20, record[2 + 2048] = 30; // red, green and blue of the first pixel
  writeText(folder / "train.bin", record + record);
  const auto set = openDataset(folder.text(), Split::Training);
  BOOST_TEST(set->size() == 2);
  BOOST_TEST(set->label(1) == 77);
  const Image image = set->image(1);
  BOOST_TEST(image.pixels[0] == 10);
  BOOST_TEST(image.pixels[1] == 20);
  BOOST_TEST(image.pixels[2] == 30);
  expectError(VN_ERROR_FILE, "cannot open the file", [&] { openDataset(folder.text(), Split::Test); });

  writeText(folder / "test.bin", record.substr(0, 3000));
  expectError(VN_ERROR_FORMAT, "its 3000 bytes are no multiple of 3074",
              [&] { openDataset(folder.text(), Split::Test); });
  record[1] = 100;
  writeText(folder / "test.bin", record);
  expectError(VN_ERROR_FORMAT, "image 0 has label 100, there are 100 classes",
              [&] { openDataset(folder.text(), Split::Test); });
}

BOOST_AUTO_TEST_CASE(folders_of_images) {
  TemporaryFolder folder;
  for (const char *place : {"train/cat/a.png", "train/dog/b.PNG", "train/dog/a.png", "val/dog/c.png"})
    writeText(folder / place, readText(images + "rgb.png"));
  writeText(folder / "train/dog/notes.txt", "not an image");
  const auto training = openDataset(folder.text(), Split::Training),
             validation = openDataset(folder.text(), Split::Test);
  BOOST_TEST(training->size() == 3);
  BOOST_TEST(training->classNames == (std::vector<std::string>{"cat", "dog"}));
  BOOST_TEST(training->label(2) == 1);
  BOOST_TEST(validation->label(0) == 1); // by name, though it is the only folder
  BOOST_TEST(validation->image(0).width == 16);
  writeText(folder / "val/fox/c.png", "");
  expectError(VN_ERROR_FORMAT, "`fox` is no class of the training images",
              [&] { openDataset(folder.text(), Split::Test); });
}

BOOST_AUTO_TEST_CASE(unknown_folders_are_refused) {
  TemporaryFolder folder;
  expectError(VN_ERROR_FORMAT, "no data set that Vernier knows",
              [&] { openDataset(folder.text(), Split::Training); });
  expectError(VN_ERROR_FILE, "no such folder", [&] { openDataset(folder / "none", Split::Training); });
  fs::create_directories(folder / "train/cat");
  expectError(VN_ERROR_FORMAT, "no JPEG or PNG file", [&] { openDataset(folder.text(), Split::Training); });
}

namespace {

struct LoadedBatch {
  int64_t count;
  std::vector<float> images;
  std::vector<int32_t> labels;
  bool operator==(const LoadedBatch &) const = default;
};

} // namespace

static std::vector<LoadedBatch> load(const Dataset &set, int threads, bool augment, bool pad,
                                     int64_t first = 0) {
  LoaderOptions options;
  options.batch = 8;
  options.order = shuffledOrder(set.size(), 4, 2);
  options.firstBatch = first;
  options.padLast = pad;
  if (augment)
    options.augmentation = Augmentation{.cropPadding = 3, .flip = true};
  options.seed = 4, options.epoch = 2, options.threads = threads;
  Loader loader(set, Preprocessing(FakeModel<8, 1, 12, 12, 10>::model), options);
  std::vector<LoadedBatch> all;
  while (const Batch *batch = loader.next())
    all.push_back({batch->count, batch->images, batch->labels});
  return all;
}

BOOST_AUTO_TEST_CASE(batches_do_not_depend_on_the_number_of_loader_threads) {
  TemporaryFolder folder;
  writeIdxDataset(folder.text(), 100, 12);
  const auto set = openDataset(folder.text(), Split::Training);
  const auto one = load(*set, 1, true, false);
  BOOST_TEST(one.size() == 12u); // the last 4 images fill no batch
  for (const int threads : {2, 5})
    BOOST_TEST((load(*set, threads, true, false) == one));
  const auto rest = load(*set, 3, true, false, 5); // as after a resumption
  BOOST_TEST((rest == std::vector<LoadedBatch>(one.begin() + 5, one.end())));
}

BOOST_AUTO_TEST_CASE(last_batch_of_an_evaluation_is_padded) {
  TemporaryFolder folder;
  writeIdxDataset(folder.text(), 100, 12);
  const auto batches = load(*openDataset(folder.text(), Split::Training), 2, false, true);
  BOOST_REQUIRE(batches.size() == 13u);
  BOOST_TEST(batches.back().count == 4);
  BOOST_TEST(batches.back().images[4 * 144] == 0);
  BOOST_TEST(batches.back().images[4 * 144 - 1] != 0);
}

BOOST_AUTO_TEST_CASE(an_image_that_cannot_be_read_stops_the_loader_with_its_place) {
  TemporaryFolder folder;
  for (int i = 0; i < 20; ++i)
    writeText(folder / ("train/a/" + std::to_string(i) + ".png"),
              i == 13 ? "damaged" : readText(images + "rgb.png"));
  const auto set = openDataset(folder.text(), Split::Training);
  expectError(VN_ERROR_FORMAT, "--> " + folder / "train/a/13.png", [&] { load(*set, 2, false, true); });
}

BOOST_AUTO_TEST_SUITE_END()
