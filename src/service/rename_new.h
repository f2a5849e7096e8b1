#pragma once

// RenameNew: a rename that never replaces what stands under the new name. For this floor's own files only.

#include <string>

namespace shipmate::service {

/// 0, or errno: EEXIST when `to` exists.
int RenameNew(const std::string& from, const std::string& to);

}  // namespace shipmate::service
