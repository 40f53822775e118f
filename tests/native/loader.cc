// Answers requests by the function that TensorFlow Serving loads bundles with.
//
//   loader BUNDLE REQUESTS ANSWERS
//
// Requests and answers are records of NameAttrList: a signature's name, and
// its tensors by name.

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/core/framework/attr_value.pb.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/lib/io/record_reader.h"
#include "tensorflow/core/lib/io/record_writer.h"
#include "tensorflow/core/platform/env.h"
#include "tensorflow/core/public/session.h"

int main(int argc, char** argv) {
  using namespace tensorflow;
  SavedModelBundle bundle;
  TF_CHECK_OK(LoadSavedModel(SessionOptions(), RunOptions(), argv[1],
                             {"serve"}, &bundle));
  std::unique_ptr<RandomAccessFile> in;
  std::unique_ptr<WritableFile> out;
  TF_CHECK_OK(Env::Default()->NewRandomAccessFile(argv[2], &in));
  TF_CHECK_OK(Env::Default()->NewWritableFile(argv[3], &out));
  io::SequentialRecordReader reader(in.get());
  io::RecordWriter writer(out.get());
  tstring record;
  while (reader.ReadRecord(&record).ok()) {
    NameAttrList request, answer;
    CHECK(request.ParseFromArray(record.data(), record.size()));
    const SignatureDef& signature = bundle.GetSignatures().at(request.name());
    std::vector<std::pair<std::string, Tensor>> feeds;
    for (const auto& input : request.attr()) {
      Tensor tensor;
      CHECK(tensor.FromProto(input.second.tensor()));
      feeds.emplace_back(signature.inputs().at(input.first).name(), tensor);
    }
    std::vector<std::string> names, fetches;
    for (const auto& output : signature.outputs()) {
      names.push_back(output.first);
      fetches.push_back(output.second.name());
    }
    std::vector<Tensor> found;
    TF_CHECK_OK(bundle.GetSession()->Run(feeds, fetches, {}, &found));
    for (size_t i = 0; i < names.size(); ++i) {
      auto* tensor = (*answer.mutable_attr())[names[i]].mutable_tensor();
      found[i].AsProtoField(tensor);
    }
    TF_CHECK_OK(writer.WriteRecord(answer.SerializeAsString()));
  }
  TF_CHECK_OK(writer.Close());
  TF_CHECK_OK(out->Close());
  return 0;
}
