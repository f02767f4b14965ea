// Defaults and validation of storage.k8s.io/v1; metadata is validated apart.
// Mirrors: pkg/apis/storage/{v1/defaults.go,validation/validation.go} of 1.32
#pragma once

#include "pkg/api/field/field.h"

namespace k8s::io::api::storage::v1 {
class CSIDriver;
class CSINode;
class CSIStorageCapacity;
class StorageClass;
class VolumeAttachment;
}  // namespace k8s::io::api::storage::v1

namespace knarr {
namespace storage_v1 = ::k8s::io::api::storage::v1;
}

namespace knarr::api {

void SetDefaults(storage_v1::StorageClass& storage_class);
void SetDefaults(storage_v1::CSIDriver& driver);

field::ErrorList ValidateStorageClass(const storage_v1::StorageClass& storage_class);
field::ErrorList ValidateStorageClassUpdate(const storage_v1::StorageClass& updated,
                                            const storage_v1::StorageClass& old);
// Of new ones; statuses are validated apart.
field::ErrorList ValidateVolumeAttachment(const storage_v1::VolumeAttachment& attachment);
field::ErrorList ValidateVolumeAttachmentUpdate(const storage_v1::VolumeAttachment& updated,
                                                const storage_v1::VolumeAttachment& old);
field::ErrorList ValidateCSINode(const storage_v1::CSINode& node);
field::ErrorList ValidateCSINodeUpdate(const storage_v1::CSINode& updated, const storage_v1::CSINode& old);
field::ErrorList ValidateCSIDriver(const storage_v1::CSIDriver& driver);
field::ErrorList ValidateCSIDriverUpdate(const storage_v1::CSIDriver& updated, const storage_v1::CSIDriver& old);
field::ErrorList ValidateCSIStorageCapacity(const storage_v1::CSIStorageCapacity& capacity);
field::ErrorList ValidateCSIStorageCapacityUpdate(const storage_v1::CSIStorageCapacity& updated,
                                                  const storage_v1::CSIStorageCapacity& old);

}  // namespace knarr::api
