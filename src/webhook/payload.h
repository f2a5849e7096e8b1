#pragma once

// PayloadReader: a JSON document that was checked whole before anything is taken from it, and whose values are found by
// their path from the top ("head_commit.author.name", "commits.0.id"). Missing and null are alike: forges send either
// for what is not there. A value of another type than asked for is a fault of the document, and named.
//
// One reader serves one request after another, so that its memory is used again; what a large document needed beyond
// the usual is given back.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace shipmate::webhook {

class PayloadReader {
 public:
  PayloadReader();
  ~PayloadReader();
  PayloadReader(const PayloadReader&) = delete;
  PayloadReader& operator=(const PayloadReader&) = delete;

  /// Takes `text` as the document. kInvalid when it is not JSON (RFC 8259) in UTF-8 with an object at its top.
  Result<void> Parse(std::string text);

  /// The document itself, until the next Parse.
  std::string_view Source() const;
  /// The text at `path`; "" when there is none.
  std::string Text(std::string_view path);
  /// Likewise; its lack is a fault.
  std::string NeededText(std::string_view path);
  bool Truth(std::string_view path);
  std::optional<std::int64_t> Number(std::string_view path);
  /// Whether there is anything but null.
  bool Has(std::string_view path);
  /// The place of the first object in the list at `path` whose `key` is the text `value`.
  std::optional<std::size_t> IndexOf(std::string_view path, std::string_view key, std::string_view value);
  /// The texts of the list at `path`.
  std::vector<std::string> Texts(std::string_view path);
  /// How many items the list at `path` has; 0 when there is none.
  std::size_t Count(std::string_view path);
  /// The texts in the lists `keys` of every object in the list at `path`, in order.
  std::vector<std::string> TextsOfEach(std::string_view path, const std::vector<std::string_view>& keys);

  /// The first fault since Parse, such as "repository.full_name: expected text, found a list"; "" when there is none.
  const std::string& Fault() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shipmate::webhook
