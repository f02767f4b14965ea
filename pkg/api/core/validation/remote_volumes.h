// Volume sources that need a network, a cloud or a CSI driver, and what persistent volumes share with pods. Internal to
// pkg/api/core.
#pragma once

#include "pkg/api/core/validation/internal.h"

namespace knarr::api::validation {

void ValidateSource(const core::HostPathVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::GitRepoVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::GCEPersistentDiskVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::AWSElasticBlockStoreVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::NFSVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::ISCSIVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::GlusterfsVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::FlockerVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::RBDVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::CinderVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::CephFSVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::QuobyteVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::FCVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::FlexVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::AzureFileVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::VsphereVirtualDiskVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::PhotonPersistentDiskVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::PortworxVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::AzureDiskVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::StorageOSVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::ScaleIOVolumeSource& source, const Path& path, ErrorList& errors);
void ValidateSource(const core::CSIVolumeSource& source, const Path& path, ErrorList& errors);
// The volume's name and the portal together name the session on the node; path is the volume's.
void ValidateIscsiNameLength(const core::ISCSIVolumeSource& iscsi, std::string_view volume, const Path& path,
                             ErrorList& errors);

}  // namespace knarr::api::validation
