// What a device's driver calls a queue and a recorded graph; only the device knows what they point
// to.
#pragma once

namespace pbatch {

/// Work that is queued on one is done in its order. Null is the device's own.
using Stream = struct DeviceStream*;
/// Work that was recorded, to be queued again and again as a whole.
using Recording = struct DeviceRecording*;

}  // namespace pbatch
