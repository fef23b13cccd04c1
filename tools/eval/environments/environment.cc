#include "tools/eval/environments/environment.h"

#include "tools/eval/environments/acrobot.h"
#include "tools/eval/environments/cartpole.h"
#include "tools/eval/environments/mountaincar.h"
#include "tools/eval/environments/pendulum.h"

namespace pbatch {

const std::vector<std::string>& environment_names() {
  static const std::vector<std::string> names{"cartpole", "mountaincar", "acrobot", "pendulum"};
  return names;
}

std::unique_ptr<Environment> make_environment(std::string_view name) {
  if (name == "cartpole") return std::make_unique<CartPole>();
  if (name == "mountaincar") return std::make_unique<MountainCar>();
  if (name == "acrobot") return std::make_unique<Acrobot>();
  if (name == "pendulum") return std::make_unique<Pendulum>();
  return nullptr;
}

}  // namespace pbatch
