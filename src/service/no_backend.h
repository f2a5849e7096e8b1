#pragma once

// NoBackend: for services of `type: none`, which are only deployed and pulled.

#include <memory>
#include <string>

#include "service/backend.h"

namespace shipmate::service {

std::unique_ptr<Backend> MakeNoBackend(std::string name);

}  // namespace shipmate::service
