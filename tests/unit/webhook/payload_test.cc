#include "webhook/payload.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace shipmate;
using webhook::PayloadReader;

TEST_CASE("values are found by their path; missing and null are alike") {
  PayloadReader reader;
  REQUIRE(reader.Parse(R"({"a":{"b":{"c":"x\u00e9\ud83d\ude80"}},"n":null,"t":true,"i":-7,"e":"",
                           "list":[{"x":["1","2"],"y":["3"]},{"y":null},{"x":["4"]}]})"));
  CHECK(reader.Text("a.b.c") == "x\u00e9\U0001F680");
  CHECK(reader.Text("a.b.d").empty());
  CHECK(reader.Text("n").empty());
  CHECK(reader.Text("n.x.y").empty());
  CHECK(reader.Text("none.x").empty());
  CHECK(reader.Truth("t"));
  CHECK_FALSE(reader.Truth("f"));
  CHECK(reader.Number("i") == -7);
  CHECK_FALSE(reader.Number("n").has_value());
  CHECK(reader.Has("a.b"));
  CHECK(reader.Text("list.0.x.1") == "2");
  CHECK(reader.Text("list.7.x").empty());
  CHECK_FALSE(reader.Has("list.99999999999999999999.x"));
  CHECK(reader.IndexOf("list", "x", "1") == std::nullopt);
  CHECK(reader.Texts("list.0.x") == std::vector<std::string>{"1", "2"});
  CHECK_FALSE(reader.Has("n"));
  CHECK(reader.Count("list") == 3);
  CHECK(reader.Count("none") == 0);
  CHECK(reader.TextsOfEach("list", {"x", "y"}) == std::vector<std::string>{"1", "2", "3", "4"});
  CHECK(reader.TextsOfEach("none", {"x"}).empty());
  CHECK(reader.Fault().empty());
  CHECK(reader.NeededText("e").empty());
  CHECK(reader.Fault() == "e: is missing");
}

TEST_CASE("the first value of a wrong type is named") {
  const auto fault = [](const std::string& text, auto read) {
    PayloadReader reader;
    REQUIRE(reader.Parse(text));
    read(reader);
    return reader.Fault();
  };
  using Reader = PayloadReader;
  CHECK(fault(R"({"a":{"b":[]}})", [](Reader& r) { r.Text("a.b"); }) == "a.b: expected text, found a list");
  CHECK(fault(R"({"a":7})", [](Reader& r) { r.Text("a.b.c"); }) == "a: expected an object, found a number");
  CHECK(fault(R"({"a":{"b":1.5}})", [](Reader& r) { r.Text("a.b.c"); }) == "a.b: expected an object, found a number");
  CHECK(fault(R"({"a":"true"})", [](Reader& r) { r.Truth("a"); }) == "a: expected true or false, found text");
  CHECK(fault(R"({"a":{"0":1}})", [](Reader& r) { r.Text("a.0"); }) == "a.0: expected text, found a number");
  CHECK(fault(R"({"a":[[]]})", [](Reader& r) { r.Text("a.0.b"); }) == "a.0: expected an object, found a list");
  CHECK(fault(R"({"a":"b"})", [](Reader& r) { r.Text("a.0"); }) == "a: expected a list, found text");
  CHECK(fault(R"({"a":1})", [](Reader& r) { r.IndexOf("a", "id", "x"); }) == "a: expected a list, found a number");
  CHECK(fault(R"({"a":1})", [](Reader& r) { r.Texts("a"); }) == "a: expected a list, found a number");
  CHECK(fault(R"({"a":1.5})", [](Reader& r) { r.Number("a"); }) == "a: expected a whole number, found a number");
  CHECK(fault(R"({"a":{}})", [](Reader& r) { r.Count("a"); }) == "a: expected a list, found an object");
  CHECK(fault(R"({"a":{}})", [](Reader& r) { r.TextsOfEach("a", {"x"}); }) == "a: expected a list, found an object");
  CHECK(fault(R"({"a":[1]})", [](Reader& r) { r.TextsOfEach("a", {"x"}); }) ==
        "a[]: expected an object, found a number");
  CHECK(fault(R"({"a":[{"x":""}]})", [](Reader& r) { r.TextsOfEach("a", {"x"}); }) ==
        "a[].x: expected a list, found text");
  CHECK(fault(R"({"a":[{"x":[null]}]})", [](Reader& r) { r.TextsOfEach("a", {"x"}); }) ==
        "a[].x[]: expected text, found null");
  CHECK(fault(R"({"a":1,"b":2})", [](Reader& r) {
          r.Text("b");
          r.Text("a");
        }) == "b: expected text, found a number");
}

TEST_CASE("what is no document is refused whole, and the next one is read") {
  PayloadReader reader;
  const std::vector<std::string> broken = {
      "",
      " ",
      "{",
      "{\"a\":",
      "[]",
      "7",
      "null",
      "\"text\"",
      "{} {}",
      "{\"a\":1}x",
      "{'a':1}",
      "{\"a\":01}",
      "{\"a\":1e400}",
      "{\"a\":\"\xFF\"}",
      "{\"a\":\"\xC3\"}",
      "{\"a\":\"\xED\xA0\x80\"}",
      "{\"a\":\"\\ud800\"}",
      "{\"a\":\"\n\"}",
      "\xEF\xBB\xBF{}",
      std::string("{}\0", 3),
      "{\"ref\":\"\":\"refs/heads/main\",\"repository\":{\"full_name\":\"o/r\"},\"head_commit\":{\"message\":\"hi\"}}",
      std::string(100'000, '['),
      std::string(100'000, '[') + std::string(100'000, ']'),
      "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}",
  };
  for (const std::string& text : broken) {
    CAPTURE(text.substr(0, 80));
    const auto parsed = reader.Parse(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().code == Errc::kInvalid);
    CHECK(reader.Text("a").empty());
    REQUIRE(reader.Parse(R"({"a":"b"})"));
    CHECK(reader.Text("a") == "b");
    CHECK(reader.Fault().empty());
  }
}

TEST_CASE("large documents are read like small ones") {
  PayloadReader reader;
  const std::string text = "{\"a\":\"" + std::string(3'000'000, 'x') + "\",\"b\":\"end\"}";
  REQUIRE(reader.Parse(text));
  CHECK(reader.Text("b") == "end");
  REQUIRE(reader.Parse(R"({"b":"small"})"));
  CHECK(reader.Text("b") == "small");
}
