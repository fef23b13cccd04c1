#include "product/input_observer.h"

namespace pbatch {
namespace {

thread_local InputObserver* current = nullptr;

}  // namespace

ObserveInputs::ObserveInputs(InputObserver* observer) : before_(current) { current = observer; }
ObserveInputs::~ObserveInputs() { current = before_; }
InputObserver* ObserveInputs::of_this_thread() { return current; }

}  // namespace pbatch
