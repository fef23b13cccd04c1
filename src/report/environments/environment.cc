#include "report/environments/environment.h"

#include "report/environments/acrobot.h"
#include "report/environments/cartpole.h"
#include "report/environments/mountaincar.h"
#include "report/environments/pendulum.h"

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
