#include "tests/runtime/FakeModel.h"
#include "tests/runtime/Support.h"

#include "runtime/data/Dataset.h"
#include "runtime/data/Loader.h"
#include "runtime/io/Npy.h"
#include "runtime/train/Evaluate.h"

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
  expectError(VN_ERROR_FORMAT, "shorter than its header", [&] {
    parseIdx(std::vector<unsigned char>{0, 0}, labels, "i", "l");
  });
  // Images whose bytes are 2^64, which in 64 bits is none.
  const std::vector<unsigned char> wrapping = {0, 0, 8, 3, 0, 0, 0, 4, 128, 0, 0, 0, 128, 0, 0, 0},
                                   four = {0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4};
  expectError(VN_ERROR_FORMAT, "announces [4, 2147483648, 2147483648] bytes of data, 0 are there",
              [&] { parseIdx(wrapping, four, "i", "l"); });
  good[7] = 1, good[11] = 2;
  expectError(VN_ERROR_FORMAT, "1 image and 2 labels: as many are needed",
              [&] { parseIdx(good, labels, "i", "l"); });
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

BOOST_AUTO_TEST_CASE(arrays) {
  TemporaryFolder folder;
  const int64_t shape[] = {3, 5, 2, 1};
  std::vector<float> values(30);
  std::iota(values.begin(), values.end(), -4.0f);
  const float labels[] = {2, 0, 1};
  const std::string arrays = folder / "train-arrays.npy", classes = folder / "train-labels.npy";
  writeNpy(arrays, shape, values);
  writeNpy(classes, std::span(shape).first(1), labels);
  const auto set = openDataset(folder.text(), Split::Training);
  BOOST_TEST(set->size() == 3);
  BOOST_TEST(set->label(0) == 2);
  BOOST_TEST(set->array(2)[1] == 17);

  // They reach the model as they are, and only a model of their shape.
  vn_model model = {};
  model.name = "m", model.channels = 5, model.height = 2, model.width = 1, model.classes = 3;
  checkLabels(*set, model);
  Loader loader(*set, Preprocessing(model), {.batch = 2, .order = {2, 0}});
  const Batch *batch = loader.next();
  BOOST_TEST(batch->labels == (std::vector<int32_t>{1, 2}), boost::test_tools::per_element());
  std::vector<float> expected(values.begin() + 20, values.end());
  expected.insert(expected.end(), values.begin(), values.begin() + 10);
  BOOST_TEST(batch->images == expected, boost::test_tools::per_element());
  model.width = 2;
  expectError(VN_ERROR_ARGUMENT, "the arrays have shape [5, 2, 1], model `m` takes [5, 2, 2]",
              [&] { checkLabels(*set, model); });
  MemoryDataset images;
  expectError(VN_ERROR_ARGUMENT, "model `m` takes 5 channels; images have 1 or 3",
              [&] { checkLabels(images, model); });

  expectError(VN_ERROR_FILE, "test-arrays.npy", [&] { openDataset(folder.text(), Split::Test); });
  const float broken[] = {2, 0, 1.5f};
  writeNpy(classes, std::span(shape).first(1), broken);
  expectError(VN_ERROR_FORMAT, "the label 1.5 is no class's number",
              [&] { openDataset(folder.text(), Split::Training); });
  writeNpy(classes, std::span(shape).subspan(2, 1), std::span(labels).first(2));
  expectError(VN_ERROR_FORMAT, "there are 3 arrays, and labels of shape [2]",
              [&] { openDataset(folder.text(), Split::Training); });
  writeNpy(arrays, std::span(shape).first(1), labels);
  expectError(VN_ERROR_FORMAT, "the arrays have shape [3]",
              [&] { openDataset(folder.text(), Split::Training); });
}

BOOST_AUTO_TEST_CASE(labels_of_a_folders_images) {
  const std::vector<std::string> files = {"a.jpg", "b c.png"};
  const auto parse = [&](const std::string &text) {
    const std::vector<unsigned char> bytes(text.begin(), text.end());
    return parseLabels(bytes, files, "l");
  };
  BOOST_TEST(parse("7\n8") == (std::vector<int64_t>{7, 8}));
  BOOST_TEST(parse("b c.png 3\r\na.jpg\t12\r\n\n") == (std::vector<int64_t>{12, 3}));
  BOOST_TEST(parse("\xef\xbb\xbf"
                   "7\n8") == (std::vector<int64_t>{7, 8}));
  const auto refuse = [&](const std::string &message, const std::string &text) {
    expectError(VN_ERROR_FORMAT, message, [&] { parse(text); });
  };
  refuse("the file is UTF-16, not text in UTF-8\n  --> l\nhelp: save it as UTF-8", std::string("\xff\xfe"
                                                                                               "7\0\n\0"
                                                                                               "8\0",
                                                                                               8));
  refuse("the file is UTF-16, not text", std::string("7\0\n\0"
                                                     "8\0",
                                                     6)); // without a mark
  refuse("the file is a binary file, not text in UTF-8\n  --> l", std::string("\x89PNG\r\n\0\0\0\r", 10));
  refuse("1 label for 2 images\n  --> l\nhelp: a line for each", "7\n");
  refuse("3 labels for 2 images", "7\n8\n9\n");
  refuse("1 label for 2 images\n  --> l\nnote: image `b c.png` has none", "a.jpg 1\n");
  refuse("`seven` is no label\n  --> l:2", "7\nseven\n");
  refuse("`-1` is no label\n  --> l:1", "-1\n8\n");
  refuse("`2147483648` is no label", "2147483648\n8\n");
  refuse("`99999999999999999999` is no label", "99999999999999999999\n8\n");
  refuse("some lines name a file, others do not\n  --> l:2", "7\na.jpg 8\n");
  refuse("there is no image `c.png` in the folder\n  --> l:1", "c.png 8\n");
  refuse("image `a.jpg` has a second label\n  --> l:2", "a.jpg 8\na.jpg 8\n");

  TemporaryFolder folder;
  for (const char *name : {"images/b.png", "images/a.PNG"})
    writeText(folder / name, readText(images + "rgb.png"));
  writeText(folder / "images/notes.txt", "not an image");
  writeText(folder / "labels", "4\n9\n");
  const auto set = openImages(folder / "images", folder / "labels");
  BOOST_TEST(set->size() == 2);
  BOOST_TEST(set->label(1) == 9);
  BOOST_TEST(set->image(1).width == 16);
  fs::create_directory(folder / "none");
  BOOST_REQUIRE(set->warnings.size() == 1u);
  BOOST_TEST(set->warnings[0] ==
             "files that are no JPEG, PNG, BMP or WebP images are left out: 1 .txt\n  --> " +
                 folder / "images");
  expectError(VN_ERROR_FORMAT,
              "there is no JPEG, PNG, BMP or WebP file in this folder\n  --> " + folder / "none",
              [&] { openImages(folder / "none", folder / "labels"); });
  expectError(VN_ERROR_FILE, "there is no such folder of images\n  --> " + folder / "gone",
              [&] { openImages(folder / "gone", folder / "labels"); });
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
  BOOST_TEST(training->warnings.size() == 1u);
  BOOST_TEST(validation->warnings.empty());
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
  expectError(VN_ERROR_FORMAT, "no image that is read in a folder of its class",
              [&] { openDataset(folder.text(), Split::Training); });
  writeText(folder / "train/a.png", "");
  expectError(VN_ERROR_FORMAT,
              "note: without images: `cat` (empty)\nnote: 1 images lie in no folder of a class",
              [&] { openDataset(folder.text(), Split::Training); });
}

// A class would be learned from nothing: training refuses it, with what lies there; an evaluation says it.
BOOST_AUTO_TEST_CASE(classes_without_images_are_named) {
  TemporaryFolder folder;
  for (const char *place : {"train/cat/a.png", "train/dog/a.webp", "val/cat/c.bmp"})
    writeText(folder / place, "");
  for (const char *place : {"val/dog/a.gif", "val/dog/b.GIF", "val/dog/c.heic", "val/dog/README"})
    writeText(folder / place, "");
  BOOST_TEST(openDataset(folder.text(), Split::Training)->size() == 2);
  const auto validation = openDataset(folder.text(), Split::Test);
  BOOST_REQUIRE(validation->warnings.size() == 2u);
  BOOST_TEST(validation->warnings[0] ==
             "classes without an image that is read: `dog` (1 without an ending, 2 "
             ".gif, 1 .heic)\n  --> " +
                 folder / "val");
  writeText(folder / "train/fox/a.tiff", "");
  fs::create_directories(folder / "train/owl");
  fs::create_directories(folder / "train/.hidden");
  expectError(VN_ERROR_FORMAT,
              "2 of 4 classes have no image that is read: `fox` (1 .tiff), `owl` (empty)\n  --> " +
                  folder / "train",
              [&] { openDataset(folder.text(), Split::Training); });
}

// As Tiny ImageNet has them: CLASS/images/NAME.
BOOST_AUTO_TEST_CASE(images_in_folders_of_a_class_are_found) {
  TemporaryFolder folder;
  for (const char *place : {"train/n1/images/n1_0.png", "train/n1/images/n1_1.png",
                            "train/n2/images/n2_0.png", "train/n2/a.png", "val/images/v_0.png"})
    writeText(folder / place, readText(images + "rgb.png"));
  writeText(folder / "train/n1/n1_boxes.txt", "");
  fs::create_directory_symlink(folder / "train/n1", folder / "train/n1/images/again"); // no way round
  const auto set = openDataset(folder.text(), Split::Training);
  BOOST_REQUIRE(set->size() == 4);
  BOOST_TEST(set->name(0) == folder / "train/n1/images/n1_0.png");
  BOOST_TEST(set->name(2) == folder / "train/n2/a.png");
  BOOST_TEST(set->label(3) == 1);
  BOOST_TEST(set->image(3).width == 16);
  expectError(VN_ERROR_FORMAT,
              "`images` is no class of the training images\n  --> " + folder / "val" +
                  "\nhelp: images lie in a folder of their class here, too; of images in one folder "
                  "with a file of their labels, `eval --images DIR --labels FILE`",
              [&] { openDataset(folder.text(), Split::Test); });
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

BOOST_AUTO_TEST_CASE(broken_images_are_skipped_on_demand) {
  TemporaryFolder folder;
  for (int i = 0; i < 20; ++i)
    writeText(folder / ("train/a/" + std::to_string(10 + i) + ".png"),
              i == 3 || i == 13 ? readText(images + "rgb.png").substr(0, 200) : readText(images + "rgb.png"));
  const auto set = openDataset(folder.text(), Split::Training);
  set->skipBroken = true;
  // An evaluation has fewer images; a training's batches stay whole, whatever the number of threads.
  int64_t images = 0;
  for (const LoadedBatch &batch : load(*set, 2, false, true))
    images += batch.count;
  BOOST_TEST(images == 18);
  const auto one = load(*set, 1, true, false);
  BOOST_TEST(one.size() == 2u);
  for (const LoadedBatch &batch : one) {
    BOOST_TEST(batch.count == 8);
    BOOST_TEST(batch.images[7 * 144 + 70] != 0); // the last image is none of zeros
  }
  BOOST_TEST((load(*set, 3, true, false) == one));
  BOOST_TEST(set->broken.count() == 2);

  LoaderOptions options;
  options.batch = 2;
  options.order = {3, 13};
  Loader loader(*set, Preprocessing(FakeModel<8, 1, 12, 12, 10>::model), options);
  expectError(VN_ERROR_FORMAT, "all 2 images of a batch are broken", [&] { loader.next(); });
}

BOOST_AUTO_TEST_SUITE_END()
