// What the server itself does with ObjectMeta and with the options of a deletion.
// Mirrors: staging/src/k8s.io/apiserver/pkg/registry/rest/{meta.go,create.go,update.go,delete.go}
#pragma once

#include <optional>
#include <string>

#include "pkg/api/object/object.h"
#include "pkg/apiserver/registry/kind.h"
#include "pkg/base/clock.h"

namespace k8s::io::apimachinery::pkg::apis::meta::v1 {
class DeleteOptions;
class ObjectMeta;
class Time;
}  // namespace k8s::io::apimachinery::pkg::apis::meta::v1

namespace knarr::registry {

std::string NewUid();
// A name for generateName: at most 63 bytes, five random letters that make no words.
std::string GenerateName(std::string_view base);
void SetTime(WallTime time, ::knarr::meta::Time* out);  // whole seconds, as JSON has it
int64_t SecondsOf(WallTime time);

// The namespace of a body must be that of the path (or absent); cluster-scoped objects have none.
Status CheckNamespace(const Kind& kind, std::string_view ns, ::knarr::meta::ObjectMeta& metadata);
// creationTimestamp, uid; what a client may not set is cleared.
void FillSystemFields(::knarr::meta::ObjectMeta& metadata, WallTime now);
// What an update cannot change is put back from `old`.
void KeepSystemFields(const ::knarr::meta::ObjectMeta& old, ::knarr::meta::ObjectMeta& updated);

enum class Finalizing { kNothing, kOrphan, kForeground };
// Which of the two garbage collector's finalizers a deletion asks for.
Finalizing FinalizingOf(const RequestContext& rc, const Kind& kind, const ::knarr::meta::ObjectMeta& metadata,
                        const ::knarr::meta::DeleteOptions& options);
// Sets or removes them; true if something changed.
bool SetGarbageFinalizers(Finalizing what, ::knarr::meta::ObjectMeta& metadata);

// Preconditions of a deletion (uid, resourceVersion), upstream's words.
Status CheckPreconditions(const Kind& kind, const ::knarr::meta::ObjectMeta& metadata,
                          const ::knarr::meta::DeleteOptions& options);
field::ErrorList ValidateDeleteOptions(const ::knarr::meta::DeleteOptions& options);

// Being deleted, and nothing holds it back any more.
bool ReadyToGo(const Kind& kind, const Object& object);

}  // namespace knarr::registry
