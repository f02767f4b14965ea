#include "pkg/api/core/validation/test_pods.h"

namespace knarr::api::testing {
namespace {

const std::string kSubdomain =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const std::string kLabel =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const std::string kName =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

std::string WithMeta(const std::string& metadata) {
  return PodErrors("metadata {" + metadata + R"(} spec { containers { name: "c" image: "i" } })");
}

std::string Spec(const std::string& spec) { return SpecErrors(spec); }

BOOST_AUTO_TEST_SUITE(pod_validation)

BOOST_AUTO_TEST_CASE(metadata) {
  RunCases(WithMeta, {
      {R"(name: "p" namespace: "ns" labels { key: "a/b" value: "c" } annotations { key: "A/b" value: "any thing" }
          finalizers: "x.y/z")", ""},
      {"", "metadata.name: Required value: name or generateName is required\nmetadata.namespace: Required value"},
      {R"(name: "p_1" namespace: "ns")", "metadata.name: Invalid value: \"p_1\": " + kSubdomain},
      {R"(name: "p" namespace: "n.s")", "metadata.namespace: Invalid value: \"n.s\": must not contain dots"},
      {R"(name: "p" namespace: "ns" generateName: "p-")", ""},
      {R"(name: "p" namespace: "ns" generateName: "P")", "metadata.generateName: Invalid value: \"P\": " + kSubdomain},
      {R"(name: "p" namespace: "ns" generation: -1)",
       "metadata.generation: Invalid value: -1: must be greater than or equal to 0"},
      {R"(name: "p" namespace: "ns" labels { key: "a b" value: "c" })",
       "metadata.labels: Invalid value: \"a b\": " + kName},
      {R"(name: "p" namespace: "ns" labels { key: "a" value: "-" })",
       "metadata.labels: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric "
       "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
       "'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"},
      {R"(name: "p" namespace: "ns" annotations { key: "a b" value: "" })",
       "metadata.annotations: Invalid value: \"a b\": " + kName},
      {R"(name: "p" namespace: "ns" annotations { key: "a" value: ")" + std::string(256 << 10, 'x') + "\" }",
       "metadata.annotations: Too long: may not be more than 262144 bytes"},
      {R"(name: "p" namespace: "ns" finalizers: "unknown")",
       "metadata.finalizers[0]: Invalid value: \"unknown\": name is neither a standard finalizer name nor is it fully "
       "qualified"},
      {R"(name: "p" namespace: "ns" finalizers: "orphan" finalizers: "foregroundDeletion")",
       "metadata.finalizers: Invalid value: []string{\"orphan\", \"foregroundDeletion\"}: finalizer orphan and "
       "foregroundDeletion cannot be both set"},
      {R"(name: "p" namespace: "ns" ownerReferences {})",
       "metadata.ownerReferences.apiVersion: Invalid value: \"\": version must not be empty\n"
       "metadata.ownerReferences.kind: Invalid value: \"\": kind must not be empty\n"
       "metadata.ownerReferences.name: Invalid value: \"\": name must not be empty\n"
       "metadata.ownerReferences.uid: Invalid value: \"\": uid must not be empty"},
      {R"(name: "p" namespace: "ns" managedFields { operation: "x" fieldsType: "y" })",
       "metadata.managedFields[0].operation: Invalid value: \"x\": must be `Apply` or `Update`\n"
       "metadata.managedFields[0].fieldsType: Invalid value: \"y\": must be `FieldsV1`"},
  });
}

BOOST_AUTO_TEST_CASE(annotations_with_a_meaning) {
  const auto with = [](const std::string& annotation) {
    return WithMeta(R"(name: "p" namespace: "ns" annotations {)" + annotation + "}");
  };
  RunCases(with, {
      {R"(key: "kubernetes.io/config.mirror" value: "x")",
       "metadata.annotations[kubernetes.io/config.mirror]: Invalid value: \"x\": must set spec.nodeName if mirror pod "
       "annotation is set"},
      {R"(key: "controller.kubernetes.io/pod-deletion-cost" value: "-10")", ""},
      {R"(key: "controller.kubernetes.io/pod-deletion-cost" value: "+10")",
       "metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: \"+10\": must be a 32bit integer"},
      {R"(key: "seccomp.security.alpha.kubernetes.io/pod" value: "runtime/default")", ""},
      {R"(key: "seccomp.security.alpha.kubernetes.io/pod" value: "x")",
       "metadata.annotations.seccomp.security.alpha.kubernetes.io/pod: Invalid value: \"x\": must be a valid seccomp profile"},
      {R"(key: "container.seccomp.security.alpha.kubernetes.io/c" value: "localhost//x")",
       "metadata.annotations.container.seccomp.security.alpha.kubernetes.io/c: Invalid value: \"/x\": must be a relative path"},
      {R"(key: "container.apparmor.security.beta.kubernetes.io/c" value: "localhost/x")", ""},
      {R"(key: "container.apparmor.security.beta.kubernetes.io/d" value: "bad")",
       "metadata.annotations[container.apparmor.security.beta.kubernetes.io/d]: Invalid value: \"d\": container not found\n"
       "metadata.annotations[container.apparmor.security.beta.kubernetes.io/d]: Invalid value: \"bad\": invalid AppArmor "
       "profile name: \"bad\""},
  });
  BOOST_TEST(PodErrors(R"(metadata { name: "p" namespace: "ns"
      annotations { key: "seccomp.security.alpha.kubernetes.io/pod" value: "unconfined" }
      annotations { key: "container.apparmor.security.beta.kubernetes.io/c" value: "localhost/a" } }
    spec { securityContext { seccompProfile { type: "RuntimeDefault" } }
      containers { name: "c" image: "i" securityContext { appArmorProfile { type: "Localhost" localhostProfile: "b" } } } })") ==
             "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field must match\n"
             "spec.containers[0].securityContext.appArmorProfile.localhostProfile: Forbidden: apparmor profile in "
             "annotation and field must match");
}

BOOST_AUTO_TEST_CASE(names_policies_and_limits_of_the_spec) {
  RunCases(Spec, {
      {"", ""},
      {R"(restartPolicy: "Sometimes")",
       "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"OnFailure\", \"Never\""},
      {R"(dnsPolicy: "x")",
       "spec.dnsPolicy: Unsupported value: \"x\": supported values: \"ClusterFirstWithHostNet\", \"ClusterFirst\", "
       "\"Default\", \"None\""},
      {R"(preemptionPolicy: "x")",
       "spec.preemptionPolicy: Unsupported value: \"x\": supported values: \"PreemptLowerPriority\", \"Never\""},
      {"activeDeadlineSeconds: 0",
       "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"},
      {R"(nodeName: "n_1")", "spec.nodeName: Invalid value: \"n_1\": " + kSubdomain},
      {R"(serviceAccountName: "S")", "spec.serviceAccountName: Invalid value: \"S\": " + kSubdomain},
      {R"(hostname: "a.b" subdomain: "A")",
       "spec.hostname: Invalid value: \"a.b\": must not contain dots\nspec.subdomain: Invalid value: \"A\": " + kLabel},
      {R"(priorityClassName: "A" runtimeClassName: "")",
       "spec.priorityClassName: Invalid value: \"A\": " + kSubdomain + "\nspec.runtimeClassName: Invalid value: \"\": " + kSubdomain},
      {R"(nodeSelector { key: "a b" value: "c" })", "spec.nodeSelector: Invalid value: \"a b\": " + kName},
      {R"(readinessGates { conditionType: "a/b/c" })",
       "spec.readinessGates[0].conditionType: Invalid value: \"a/b/c\": a qualified name must consist of alphanumeric "
       "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or "
       "'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an "
       "optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"},
      {R"(schedulingGates { name: "a" } schedulingGates { name: "a" } nodeName: "n")",
       "spec.schedulingGates[1]: Duplicate value: \"a\"\n"
       "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared"},
      {R"(overhead { key: "cpu" value { string: "-1" } } overhead { key: "foo" value { string: "1" } })",
       "spec.overhead.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0\n"
       "spec.overhead.limits[foo]: Invalid value: \"foo\": must be a standard resource type or fully qualified\n"
       "spec.overhead.limits[foo]: Invalid value: \"foo\": must be a standard resource for containers"},
      {"hostUsers: false hostNetwork: true hostPID: true hostIPC: true",
       "spec.hostNetwork: Forbidden: when `pod.Spec.HostUsers` is false\n"
       "spec.HostPID: Forbidden: when `pod.Spec.HostUsers` is false\n"
       "spec.HostIPC: Forbidden: when `pod.Spec.HostUsers` is false"},
      {R"(os { name: "plan9" })",
       "spec.os: Unsupported value: \"plan9\": supported values: \"linux\", \"windows\""},
      {"os {}", "spec.os.name: Required value: cannot be empty"},
      {R"(os { name: "linux" } securityContext { windowsOptions {} })",
       "spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"},
      {R"(os { name: "windows" } hostPID: true securityContext { fsGroup: 1 runAsUser: 2 })",
       "spec.hostPID: Forbidden: cannot be set for a windows pod\n"
       "spec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod\n"
       "spec.securityContext.runAsUser: Forbidden: cannot be set for a windows pod"},
      {R"(ephemeralContainers { ephemeralContainerCommon { name: "e" image: "i" } })",
       "spec.ephemeralContainers: Forbidden: cannot be set on create"},
  });
  BOOST_TEST(PodErrors(R"(metadata { name: "p" namespace: "ns" })") == "spec.containers: Required value");
}

BOOST_AUTO_TEST_CASE(dns_and_hosts) {
  std::string many;
  for (int i = 0; i < 33; ++i) many += R"(searches: "a" )";
  RunCases(Spec, {
      {R"(dnsPolicy: "None" dnsConfig { nameservers: "10.0.0.1" searches: "a.b." searches: "c" options { name: "ndots" value: "5" } })", ""},
      {R"(dnsPolicy: "None")", "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"},
      {R"(dnsPolicy: "None" dnsConfig {})",
       "spec.dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None"},
      {R"(dnsConfig { nameservers: "1.1.1.1" nameservers: "::1" nameservers: "x" nameservers: "2.2.2.2" })",
       "spec.dnsConfig.nameservers: Invalid value: []string{\"1.1.1.1\", \"::1\", \"x\", \"2.2.2.2\"}: must not have more "
       "than 3 nameservers\nspec.dnsConfig.nameservers[2]: Invalid value: \"x\": must be a valid IP address, (e.g. "
       "10.9.8.7 or 2001:db8::ffff)"},
      {R"(dnsConfig { searches: "A" options {} })",
       "spec.dnsConfig.searches[0]: Invalid value: \"A\": " + kSubdomain +
       "\nspec.dnsConfig.options[0]: Required value: must not be empty"},
      {R"(hostAliases { ip: "x" hostnames: "ok" hostnames: "Bad" })",
       "spec.hostAliases[0].ip: Invalid value: \"x\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)\n"
       "spec.hostAliases[0].hostnames[1]: Invalid value: \"Bad\": " + kSubdomain},
  });
  BOOST_TEST(Spec("dnsConfig { " + many + "}").find("must not have more than 32 search paths") != std::string::npos);
  const PodValidationOptions relaxed{.allow_relaxed_dns_search_validation = true};
  BOOST_TEST(SpecErrors(R"(dnsConfig { searches: "." searches: "_a.b" })", relaxed) == "");
}

BOOST_AUTO_TEST_CASE(tolerations_spread_constraints_and_claims) {
  RunCases(Spec, {
      {R"(tolerations { key: "a" operator: "Equal" value: "b" effect: "NoSchedule" } tolerations { operator: "Exists" }
          tolerations { key: "a" operator: "Exists" effect: "NoExecute" tolerationSeconds: 5 })", ""},
      {R"(tolerations { operator: "Equal" })",
       "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty, which means "
       "\"match all values and all keys\""},
      {R"(tolerations { key: "a" operator: "Exists" value: "b" })",
       "spec.tolerations[0].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'"},
      {R"(tolerations { key: "a" operator: "x" effect: "y" tolerationSeconds: 1 })",
       "spec.tolerations[0].effect: Invalid value: \"y\": effect must be 'NoExecute' when `tolerationSeconds` is set\n"
       "spec.tolerations[0].operator: Unsupported value: \"x\": supported values: \"Equal\", \"Exists\"\n"
       "spec.tolerations[0].effect: Unsupported value: \"y\": supported values: \"NoSchedule\", \"PreferNoSchedule\", "
       "\"NoExecute\""},
      {R"(topologySpreadConstraints { maxSkew: 1 topologyKey: "k" whenUnsatisfiable: "DoNotSchedule" minDomains: 2 labelSelector {} })", ""},
      {R"(topologySpreadConstraints {})",
       "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero\n"
       "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty\n"
       "spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: \"\": supported values: \"DoNotSchedule\", "
       "\"ScheduleAnyway\""},
      {R"(topologySpreadConstraints { maxSkew: 1 topologyKey: "k" whenUnsatisfiable: "ScheduleAnyway" minDomains: 0 nodeTaintsPolicy: "x" matchLabelKeys: "a" }
          topologySpreadConstraints { maxSkew: 1 topologyKey: "k" whenUnsatisfiable: "ScheduleAnyway" labelSelector { matchLabels { key: "a" value: "" } } matchLabelKeys: "a" })",
       "spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: \"{k, ScheduleAnyway}\"\n"
       "spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: must be greater than zero\n"
       "spec.topologySpreadConstraints[0].minDomains: Invalid value: 0: can only use minDomains if "
       "whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway\n"
       "spec.topologySpreadConstraints[0].nodeTaintsPolicy: Unsupported value: \"x\": supported values: \"Honor\", \"Ignore\"\n"
       "spec.topologySpreadConstraints[0].matchLabelKeys: Forbidden: must not be specified when labelSelector is not set\n"
       "spec.topologySpreadConstraints[1].matchLabelKeys[0]: Invalid value: \"a\": exists in both matchLabelKeys and labelSelector"},
      {R"(resourceClaims { name: "a" resourceClaimName: "x" } resourceClaims { name: "a" } resourceClaims { resourceClaimName: "X" })",
       "spec.resourceClaims[1].name: Duplicate value: \"a\"\n"
       "spec.resourceClaims[1]: Invalid value: \"a\": must specify one of: `resourceClaimName`, `resourceClaimTemplateName`\n"
       "spec.resourceClaims[2].name: Required value\n"
       "spec.resourceClaims[2].resourceClaimName: Invalid value: \"X\": " + kSubdomain},
  });
}

BOOST_AUTO_TEST_CASE(affinities) {
  const auto with = [](const std::string& affinity) { return SpecErrors("affinity {" + affinity + "}"); };
  const std::string required = "requiredDuringSchedulingIgnoredDuringExecution";
  const std::string preferred = "preferredDuringSchedulingIgnoredDuringExecution";
  const std::string node = "spec.affinity.nodeAffinity." + required + ".nodeSelectorTerms";
  const std::string pod = "spec.affinity.podAffinity." + required + "[0]";
  RunCases(with, {
      {"nodeAffinity { " + required + R"( { nodeSelectorTerms { matchExpressions { key: "a" operator: "In" values: "b" }
          matchFields { key: "metadata.name" operator: "In" values: "n" } } } })", ""},
      {"nodeAffinity { " + required + " {} }", node + ": Required value: must have at least one node selector term"},
      {"nodeAffinity { " + required + R"( { nodeSelectorTerms { matchExpressions { key: "a" operator: "In" }
          matchExpressions { key: "a" operator: "Exists" values: "x" } matchExpressions { key: "a" operator: "Gt" }
          matchExpressions { key: "" operator: "x" } matchFields { key: "x" operator: "Exists" } } } })",
       node + "[0].matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'\n" +
       node + "[0].matchExpressions[1].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'\n" +
       node + "[0].matchExpressions[2].values: Required value: must be specified single value when `operator` is 'Lt' or 'Gt'\n" +
       node + "[0].matchExpressions[3].operator: Invalid value: \"x\": not a valid selector operator\n" +
       node + "[0].matchExpressions[3].key: Invalid value: \"\": name part must be non-empty\n" +
       node + "[0].matchExpressions[3].key: Invalid value: \"\": " + kName + "\n" +
       node + "[0].matchFields[0].operator: Invalid value: \"Exists\": not a valid selector operator\n" +
       node + "[0].matchFields[0].key: Invalid value: \"x\": not a valid field selector key"},
      {"nodeAffinity { " + preferred + " { weight: 101 preference {} } }",
       "spec.affinity.nodeAffinity." + preferred + "[0].weight: Invalid value: 101: must be in the range 1-100"},
      {"podAffinity { " + required + R"( { topologyKey: "k" namespaces: "N" labelSelector { matchExpressions { key: "a" operator: "In" values: "-" } } } })",
       pod + ".labelSelector.matchExpressions[0].values[0]: Invalid value: \"-\": a valid label must be an empty string or "
       "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
       "'MyValue',  or 'my_value',  or '12345', regex used for validation is "
       "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')\n" +
       pod + ".namespace: Invalid value: \"N\": " + kLabel},
      {"podAffinity { " + required + R"( { matchLabelKeys: "a" } })",
       pod + ".matchLabelKeys: Forbidden: must not be specified when labelSelector is not set\n" +
       pod + ".topologyKey: Required value: can not be empty\n" +
       pod + ".topologyKey: Invalid value: \"\": name part must be non-empty\n" +
       pod + ".topologyKey: Invalid value: \"\": " + kName},
      {"podAntiAffinity { " + preferred + R"( { weight: 0 podAffinityTerm { topologyKey: "k" labelSelector {} matchLabelKeys: "a" mismatchLabelKeys: "a" } } })",
       "spec.affinity.podAntiAffinity." + preferred + "[0].weight: Invalid value: 0: must be in the range 1-100\n"
       "spec.affinity.podAntiAffinity." + preferred + "[0].podAffinityTerm.matchLabelKeys[0]: Invalid value: \"a\": exists in "
       "both matchLabelKeys and mismatchLabelKeys"},
  });
}

BOOST_AUTO_TEST_CASE(static_pods_may_not_refer_to_the_api) {
  const auto check = [](const std::string& spec) {
    return Lines(ValidateStaticPod(FromText<core::Pod>("spec {" + spec + "}")));
  };
  RunCases(check, {
      {R"(volumes { volumeSource { configMap {} } } volumes { volumeSource { secret {} } } volumes { volumeSource { projected { sources { configMap {} } sources { secret {} } sources { downwardAPI {} } } } }
          containers { envFrom { secretRef {} } } imagePullSecrets { name: "x" })", ""},
      {R"(serviceAccountName: "x")", "spec.serviceAccountName: Forbidden: static pods may not reference serviceaccounts"},
      {R"(resourceClaims { name: "x" })", "spec.resourceClaims: Forbidden: static pods may not reference resourceclaims"},
      {R"(volumes { volumeSource { persistentVolumeClaim {} } } volumes { volumeSource { csi {} } } volumes { volumeSource { ephemeral {} } }
          volumes { volumeSource { glusterfs {} } } volumes { volumeSource { projected { sources { serviceAccountToken {} } sources { clusterTrustBundle {} } } } })",
       "spec.volumes[0].persistentVolumeClaim: Forbidden: static pods may not reference persistentvolumeclaims\n"
       "spec.volumes[1].csi: Forbidden: static pods may not reference csidrivers (via CSI volumes)\n"
       "spec.volumes[2].ephemeral: Forbidden: static pods may not reference persistentvolumeclaims (via ephemeral volumes)\n"
       "spec.volumes[3].glusterfs: Forbidden: static pods may not reference endpoints (via glusterFS volumes)\n"
       "spec.volumes[4].projected.sources[0].serviceAccountToken: Forbidden: static pods may not reference serviceaccounts (via projected volumes)\n"
       "spec.volumes[4].projected.sources[1].clusterTrustBundle: Forbidden: static pods may not reference clustertrustbundles"},
  });
}

BOOST_AUTO_TEST_CASE(config_maps_and_secrets) {
  const auto config_map = [](const std::string& text) {
    return Lines(ValidateConfigMap(FromText<core::ConfigMap>(R"(metadata { name: "m" namespace: "ns" } )" + text)));
  };
  const auto secret = [](const std::string& text) {
    return Lines(ValidateSecret(FromText<core::Secret>(R"(metadata { name: "m" namespace: "ns" } )" + text)));
  };
  const std::string big = "\"" + std::string(1 << 20, 'x') + "\"";
  RunCases(config_map, {
      {R"(data { key: "a" value: "b" } binaryData { key: "c" value: "d" })", ""},
      {R"(data { key: "a" value: "b" } binaryData { key: "a" value: "d" })",
       "data[a]: Invalid value: \"a\": duplicate of key present in binaryData"},
      {R"(data { key: ".." value: "b" })", "data[..]: Invalid value: \"..\": must not be '..'"},
      {"data { key: \"a\" value: " + big + " }", ""},
      {"data { key: \"a\" value: " + big + " } data { key: \"b\" value: \"x\" }",
       "[]: Too long: may not be more than 1048576 bytes"},
  });
  RunCases(secret, {
      {R"(type: "Opaque" data { key: "a" value: "b" })", ""},
      {"data { key: \"a\" value: " + big + " } data { key: \"b\" value: \"x\" }",
       "data: Too long: may not be more than 1048576 bytes"},
      {R"(type: "kubernetes.io/tls" data { key: "tls.crt" })", "data[tls.key]: Required value"},
      {R"(type: "kubernetes.io/basic-auth")", "data[username]: Required value\ndata[password]: Required value"},
      {R"(type: "kubernetes.io/ssh-auth" data { key: "ssh-privatekey" })", "data[ssh-privatekey]: Required value"},
      {R"(type: "kubernetes.io/service-account-token")",
       "metadata.annotations[kubernetes.io/service-account.name]: Required value"},
      {R"(type: "kubernetes.io/dockerconfigjson")", "data[.dockerconfigjson]: Required value"},
      {R"(type: "kubernetes.io/dockerconfigjson" data { key: ".dockerconfigjson" value: "{\"auths\":{}}" })", ""},
      {R"(type: "kubernetes.io/dockercfg" data { key: ".dockercfg" value: "[]" })",
       "data[.dockercfg]: Invalid value: \"<secret contents redacted>\": must be a JSON object"},
  });
}

BOOST_AUTO_TEST_CASE(quality_of_service_follows_requests_and_limits) {
  const auto qos = [](const std::string& spec) {
    return std::string(ToString(ComputeQosClass(FromText<core::Pod>("spec {" + spec + "}"))));
  };
  const auto list = [](const std::string& name, const std::string& cpu, const std::string& memory) {
    std::string text;
    if (!cpu.empty()) text += name + " { key: \"cpu\" value { string: \"" + cpu + "\" } } ";
    if (!memory.empty()) text += name + " { key: \"memory\" value { string: \"" + memory + "\" } } ";
    return text;
  };
  const auto container = [](const std::string& resources) { return "containers { resources {" + resources + "} } "; };
  const std::string full = list("requests", "1", "1Gi") + list("limits", "1000m", "1024Mi");
  BOOST_TEST(qos(container("")) == "BestEffort");
  BOOST_TEST(qos(container(list("requests", "0", ""))) == "BestEffort");
  BOOST_TEST(qos(container("requests { key: \"a.b/c\" value { string: \"1\" } }")) == "BestEffort");
  BOOST_TEST(qos(container(full)) == "Guaranteed");
  BOOST_TEST(qos(container(full) + container(full)) == "Guaranteed");
  BOOST_TEST(qos(container(full) + container("")) == "Burstable");
  BOOST_TEST(qos(container(list("requests", "1", "") + list("limits", "1", ""))) == "Burstable");
  BOOST_TEST(qos(container(list("requests", "500m", "1Gi") + list("limits", "1", "1Gi"))) == "Burstable");
  BOOST_TEST(qos(container(list("requests", "1", ""))) == "Burstable");
  BOOST_TEST(qos(container(full) + "initContainers {}") == "Burstable");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::api::testing
