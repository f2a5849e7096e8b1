#include "webhook/payload.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <system_error>
#include <utility>

namespace shipmate::webhook {

namespace {

namespace dom = simdjson::dom;

// Documents up to this size share one set of buffers; pushes are some kilobytes.
constexpr std::size_t kUsualSize = 256 * 1024;

const char* KindOf(dom::element element) {
  switch (element.type()) {
    case dom::element_type::ARRAY:
      return "a list";
    case dom::element_type::OBJECT:
      return "an object";
    case dom::element_type::STRING:
      return "text";
    case dom::element_type::BOOL:
      return "true or false";
    case dom::element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

}  // namespace

class PayloadReader::Impl {
 public:
  Result<void> Parse(std::string text) {
    fault.clear();
    root_.reset();
    if (large_) parser_ = std::make_unique<dom::parser>();
    large_ = text.size() > kUsualSize;
    text_ = std::move(text);
    // simdjson reads a little beyond the end; with the room there, it needs no copy.
    text_.reserve(text_.size() + simdjson::SIMDJSON_PADDING);
    dom::element root;
    if (const auto error = parser_->parse(text_).get(root)) {
      return Fail(Errc::kInvalid, std::string("not valid JSON: ") + simdjson::error_message(error));
    }
    dom::object object;
    if (root.get_object().get(object) != simdjson::SUCCESS) {
      return Fail(Errc::kInvalid, fmt::format("expected an object, found {}", KindOf(root)));
    }
    root_ = object;
    return {};
  }

  std::string_view Source() const { return text_; }

  // nullopt when it, or anything on the way to it, is missing or null.
  std::optional<dom::element> Find(std::string_view path) {
    if (!root_) return std::nullopt;
    std::optional<dom::element> at = At(*root_, path.substr(0, path.find('.')));
    for (std::size_t dot = path.find('.'); at && dot != std::string_view::npos;) {
      const std::size_t next = path.find('.', dot + 1);
      const std::string_view key = path.substr(dot + 1, next == std::string_view::npos ? next : next - dot - 1);
      dom::object object;
      dom::array list;
      if (at->get_object().get(object) == simdjson::SUCCESS) {
        at = At(object, key);
      } else if (IsIndex(key) && at->get_array().get(list) == simdjson::SUCCESS) {
        at = At(list, key);
      } else {
        Blame(path.substr(0, dot), IsIndex(key) ? "a list" : "an object", *at);
        return std::nullopt;
      }
      dot = next;
    }
    return at;
  }

  // nullopt when it is missing, or blamed for not being one.
  std::optional<dom::array> List(std::string_view path) {
    const auto found = Find(path);
    if (!found) return std::nullopt;
    dom::array list;
    if (found->get_array().get(list) == simdjson::SUCCESS) return list;
    Blame(path, "a list", *found);
    return std::nullopt;
  }

  // Up to the first entry that is no text, which is returned.
  static std::optional<dom::element> AddTexts(dom::array list, std::vector<std::string>& texts) {
    for (const dom::element item : list) {
      std::string_view text;
      if (item.get_string().get(text) != simdjson::SUCCESS) return item;
      texts.emplace_back(text);
    }
    return std::nullopt;
  }

  void Blame(std::string_view path, std::string_view expected, dom::element found) {
    Blame(fmt::format("{}: expected {}, found {}", path, expected, KindOf(found)));
  }
  void Blame(std::string what) {
    if (fault.empty()) fault = std::move(what);
  }

  std::string fault;

 private:
  static bool IsIndex(std::string_view key) { return !key.empty() && key[0] >= '0' && key[0] <= '9'; }

  static std::optional<dom::element> At(dom::object object, std::string_view key) {
    dom::element found;
    if (object.at_key(key).get(found) != simdjson::SUCCESS || found.is_null()) return std::nullopt;
    return found;
  }
  static std::optional<dom::element> At(dom::array list, std::string_view key) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size()) return std::nullopt;
    dom::element found;
    if (list.at(index).get(found) != simdjson::SUCCESS || found.is_null()) return std::nullopt;
    return found;
  }

  std::unique_ptr<dom::parser> parser_ = std::make_unique<dom::parser>();
  std::string text_;
  std::optional<dom::object> root_;  // unset when the document was none
  bool large_ = false;
};

PayloadReader::PayloadReader() : impl_(std::make_unique<Impl>()) {}
PayloadReader::~PayloadReader() = default;

Result<void> PayloadReader::Parse(std::string text) {
  return impl_->Parse(std::move(text));
}

std::string_view PayloadReader::Source() const {
  return impl_->Source();
}

std::string PayloadReader::Text(std::string_view path) {
  const auto found = impl_->Find(path);
  std::string_view text;
  if (found && found->get_string().get(text) != simdjson::SUCCESS) impl_->Blame(path, "text", *found);
  return std::string(text);
}

std::string PayloadReader::NeededText(std::string_view path) {
  std::string text = Text(path);
  if (text.empty()) impl_->Blame(fmt::format("{}: is missing", path));
  return text;
}

bool PayloadReader::Truth(std::string_view path) {
  const auto found = impl_->Find(path);
  bool truth = false;
  if (found && found->get_bool().get(truth) != simdjson::SUCCESS) impl_->Blame(path, "true or false", *found);
  return truth;
}

std::optional<std::int64_t> PayloadReader::Number(std::string_view path) {
  const auto found = impl_->Find(path);
  std::int64_t number = 0;
  if (!found) return std::nullopt;
  if (found->get_int64().get(number) != simdjson::SUCCESS) {
    impl_->Blame(path, "a whole number", *found);
    return std::nullopt;
  }
  return number;
}

bool PayloadReader::Has(std::string_view path) {
  return impl_->Find(path).has_value();
}

std::size_t PayloadReader::Count(std::string_view path) {
  std::size_t count = 0;
  if (const auto list = impl_->List(path)) {
    for ([[maybe_unused]] const dom::element item : *list) ++count;
  }
  return count;
}

std::optional<std::size_t> PayloadReader::IndexOf(std::string_view path, std::string_view key, std::string_view value) {
  const auto list = impl_->List(path);
  if (!list) return std::nullopt;
  std::size_t index = 0;
  for (const dom::element item : *list) {
    dom::object object;
    std::string_view text;
    if (item.get_object().get(object) == simdjson::SUCCESS &&
        object.at_key(key).get_string().get(text) == simdjson::SUCCESS && text == value) {
      return index;
    }
    ++index;
  }
  return std::nullopt;
}

std::vector<std::string> PayloadReader::Texts(std::string_view path) {
  std::vector<std::string> texts;
  const auto list = impl_->List(path);
  if (!list) return texts;
  if (const auto other = Impl::AddTexts(*list, texts)) impl_->Blame(fmt::format("{}[]", path), "text", *other);
  return texts;
}

std::vector<std::string> PayloadReader::TextsOfEach(std::string_view path, const std::vector<std::string_view>& keys) {
  std::vector<std::string> texts;
  const auto list = impl_->List(path);
  if (!list) return texts;
  for (const dom::element item : *list) {
    dom::object object;
    if (item.get_object().get(object) != simdjson::SUCCESS) {
      impl_->Blame(fmt::format("{}[]", path), "an object", item);
      return texts;
    }
    for (const std::string_view key : keys) {
      dom::element value;
      if (object.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) continue;
      dom::array inner;
      if (value.get_array().get(inner) != simdjson::SUCCESS) {
        impl_->Blame(fmt::format("{}[].{}", path, key), "a list", value);
        return texts;
      }
      if (const auto other = Impl::AddTexts(inner, texts)) {
        impl_->Blame(fmt::format("{}[].{}[]", path, key), "text", *other);
        return texts;
      }
    }
  }
  return texts;
}

const std::string& PayloadReader::Fault() const {
  return impl_->fault;
}

}  // namespace shipmate::webhook
