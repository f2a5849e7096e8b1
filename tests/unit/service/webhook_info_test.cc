#include "service/webhook_info.h"

#include <doctest/doctest.h>

#include "base/text.h"

using namespace shipmate;
using service::WebhookInfo;

namespace {

WebhookInfo FullInfo() {
  WebhookInfo info;
  info.repo = "acme/app";
  info.branch = "main";
  info.compare = "https://forge.example/acme/app/compare/a...b";
  info.pusher = "bob";
  info.commit_id = "deadbeefcafe0123";
  info.commit_msg = "feat: add a thing\n\nA second paragraph.";
  info.commit_url = "https://forge.example/acme/app/commit/deadbeef";
  info.author = "Alice";
  info.timestamp = "2024-03-21T10:00:00Z";
  return info;
}

}  // namespace

TEST_CASE("a full push is told in four lines") {
  CHECK(FullInfo().FormatMessage("**web**") ==
        "Webhook for **web**: [acme/app@deadbee](https://forge.example/acme/app/commit/deadbeef) on `main` by Alice\n"
        "> feat: add a thing\n"
        "[compare](https://forge.example/acme/app/compare/a...b)");
}

TEST_CASE("what is not known is left out") {
  WebhookInfo info = FullInfo();
  info.commit_url.clear();
  info.author.clear();
  info.commit_msg.clear();
  info.compare.clear();
  CHECK(info.FormatMessage("`web`") == "Webhook for `web`: acme/app@deadbee on `main`");
}

TEST_CASE("a push without a commit names branch and pusher, and never the comparison") {
  WebhookInfo info = FullInfo();
  info.commit_id.clear();
  CHECK(info.FormatMessage("`web`") == "Webhook for `web`: push to `main` by bob");
  info.pusher.clear();
  CHECK(info.FormatMessage("`web`") == "Webhook for `web`: push to `main`");
}

TEST_CASE("ShortSHA") {
  WebhookInfo info;
  CHECK(info.ShortSHA().empty());
  info.commit_id = "abc";
  CHECK(info.ShortSHA() == "abc");
  info.commit_id = "0123456";
  CHECK(info.ShortSHA() == "0123456");
  info.commit_id = "0123456789";
  CHECK(info.ShortSHA() == "0123456");
}

TEST_CASE("ShortMessage is the first line that says something") {
  WebhookInfo info;
  CHECK(info.ShortMessage().empty());
  info.commit_msg = "\n\r\n  \nfix: it\r\nmore";
  CHECK(info.ShortMessage() == "fix: it");
  info.commit_msg = "\n\n";
  CHECK(info.ShortMessage().empty());
  info.commit_msg = "one line";
  CHECK(info.ShortMessage() == "one line");
}

TEST_CASE("ShortMessage is cut by code points") {
  WebhookInfo info;
  info.commit_msg = std::string(300, 'x');
  CHECK(info.ShortMessage() == std::string(300, 'x'));
  info.commit_msg = std::string(301, 'x');
  CHECK(info.ShortMessage() == std::string(300, 'x') + "...");
  info.commit_msg = std::string(400, 'x');
  const std::string message = info.FormatMessage("`web`");
  CHECK(message.find(std::string(400, 'x')) == std::string::npos);

  std::string accents;
  for (int i = 0; i < 300; ++i) accents += "é";
  info.commit_msg = accents;
  CHECK(info.ShortMessage() == accents);
  info.commit_msg = "a" + accents;
  const std::string cut = info.ShortMessage();
  CHECK(base::IsValidUtf8(cut));
  CHECK(base::RuneCount(cut) == 303);
  CHECK(cut.ends_with("é..."));
}

TEST_CASE("ShortMessage repairs invalid UTF-8") {
  WebhookInfo info;
  info.commit_msg = "bad \xff byte";
  CHECK(info.ShortMessage() == "bad \xEF\xBF\xBD byte");
}

TEST_CASE("no part can begin a line of its own or leave its place") {
  WebhookInfo info = FullInfo();
  info.repo = "acme/app\n# heading";
  info.branch = "a`b\nc";
  info.author = "Eve\r\n> quote";
  info.commit_msg = "msg \x1b[31m";
  info.commit_url = "https://forge.example/x)[y](z w";
  info.compare = "https://forge.example/<x>\n";
  CHECK(info.FormatMessage("**web**") ==
        "Webhook for **web**: [acme/app\\n# heading@deadbee](https://forge.example/x%29[y]%28z%20w) on `a'b\\nc` by "
        "Eve\\r\\n> quote\n"
        "> msg \\x1b[31m\n"
        "[compare](https://forge.example/%3Cx%3E\\n)");
  info.commit_id.clear();
  info.pusher = "Eve\nx";
  CHECK(info.FormatMessage("**web**") == "Webhook for **web**: push to `a'b\\nc` by Eve\\nx");
}
