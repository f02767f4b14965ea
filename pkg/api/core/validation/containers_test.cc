#include "pkg/api/core/validation/test_pods.h"

namespace knarr::api::testing {
namespace {

const std::string kContainer = "spec.containers[0].";

std::string Container(const std::string& text) { return ContainerErrors(text); }

BOOST_AUTO_TEST_SUITE(container_validation)

BOOST_AUTO_TEST_CASE(names_images_and_policies) {
  const auto pod = [](const std::string& spec) {
    return PodErrors(R"(metadata { name: "p" namespace: "ns" } spec {)" + spec + "}");
  };
  RunCases(pod, {
      {R"(containers { name: "a" image: "i" } containers { name: "b" image: "i" })", ""},
      {"containers {}", kContainer + "name: Required value\n" + kContainer + "image: Required value"},
      {R"(containers { name: "a" image: "i" } containers { name: "a" image: "i" })",
       "spec.containers[1].name: Duplicate value: \"a\""},
      {R"(containers { name: "a.b" image: " i" })",
       kContainer + "name: Invalid value: \"a.b\": must not contain dots\n" +
       kContainer + "image: Invalid value: \" i\": must not have leading or trailing whitespace"},
      {R"(containers { name: "a" image: "i" imagePullPolicy: "Maybe" terminationMessagePolicy: "Loud" restartPolicy: "Always" })",
       kContainer + "terminationMessagePolicy: Unsupported value: \"Loud\": supported values: \"File\", \"FallbackToLogsOnError\"\n" +
       kContainer + "imagePullPolicy: Unsupported value: \"Maybe\": supported values: \"Always\", \"IfNotPresent\", \"Never\"\n" +
       kContainer + "restartPolicy: Forbidden: may not be set for non-init containers"},
      {R"(restartPolicy: "Never" containers { name: "a" image: "i" resizePolicy { resourceName: "cpu" restartPolicy: "RestartContainer" } resizePolicy { resourceName: "gpu" restartPolicy: "x" } })",
       kContainer + "resizePolicy: Invalid value: \"RestartContainer\": must be 'NotRequired' when `restartPolicy` is 'Never'\n" +
       kContainer + "resizePolicy: Unsupported value: \"gpu\": supported values: \"cpu\", \"memory\"\n" +
       kContainer + "resizePolicy: Unsupported value: \"x\": supported values: \"NotRequired\", \"RestartContainer\"\n" +
       kContainer + "resizePolicy: Invalid value: \"x\": must be 'NotRequired' when `restartPolicy` is 'Never'"},
  });
}

BOOST_AUTO_TEST_CASE(ports) {
  RunCases(Container, {
      {R"(ports { name: "http" containerPort: 80 } ports { name: "https" containerPort: 443 hostPort: 443 protocol: "UDP" })", ""},
      {R"(ports { name: "a" containerPort: 80 } ports { name: "a" containerPort: 81 })",
       kContainer + "ports[1].name: Duplicate value: \"a\""},
      {"ports {}", kContainer + "ports[0].containerPort: Required value"},
      {R"(ports { containerPort: 65536 hostPort: -1 protocol: "ICMP" })",
       kContainer + "ports[0].containerPort: Invalid value: 65536: must be between 1 and 65535, inclusive\n" +
       kContainer + "ports[0].hostPort: Invalid value: -1: must be between 1 and 65535, inclusive\n" +
       kContainer + "ports[0].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\""},
      {R"(ports { name: "-a" containerPort: 80 })",
       kContainer + "ports[0].name: Invalid value: \"-a\": must not begin or end with a hyphen"},
      {R"(ports { containerPort: 80 hostPort: 80 } ports { containerPort: 81 hostPort: 80 } ports { containerPort: 82 hostPort: 80 hostIP: "1.2.3.4" })",
       kContainer + "ports[1].hostPort: Duplicate value: \"TCP//80\""},
  });
  BOOST_TEST(ContainerErrors("ports { containerPort: 80 hostPort: 81 }", "hostNetwork: true") ==
             kContainer + "ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true");
  BOOST_TEST(SpecErrors(R"(containers { name: "d" image: "i" ports { containerPort: 1 hostPort: 9 } ports { containerPort: 2 hostPort: 9 } }
      initContainers { name: "e" image: "i" ports { containerPort: 1 hostPort: 9 } })") ==
             "spec.containers[1].ports[1].hostPort: Duplicate value: \"TCP//9\"");
}

BOOST_AUTO_TEST_CASE(environment) {
  const std::string from = kContainer + "env[0].valueFrom";
  const auto env = [](const std::string& text) { return ContainerErrors("env { name: \"A\" valueFrom {" + text + "} }"); };
  RunCases(env, {
      {"fieldRef { fieldPath: \"status.podIPs\" }", ""},
      {"fieldRef { fieldPath: \"metadata.annotations['a/B']\" }", ""},
      {"fieldRef { fieldPath: \"spec.host\" }", ""},
      {"resourceFieldRef { resource: \"requests.memory\" divisor { string: \"1Mi\" } }", ""},
      {"resourceFieldRef { resource: \"limits.hugepages-2Mi\" }", ""},
      {"configMapKeyRef { localObjectReference { name: \"m\" } key: \"k\" }", ""},
      {"", from + ": Invalid value: \"\": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"},
      {"fieldRef { fieldPath: \"metadata.name\" } secretKeyRef { localObjectReference { name: \"s\" } key: \"k\" }",
       from + ": Invalid value: \"\": may not have more than one field specified at a time"},
      {"fieldRef {}", from + ".fieldRef.fieldPath: Required value"},
      {"fieldRef { fieldPath: \"metadata.labels\" }",
       from + ".fieldRef.fieldPath: Unsupported value: \"metadata.labels\": supported values: \"metadata.name\", "
       "\"metadata.namespace\", \"metadata.uid\", \"spec.nodeName\", \"spec.serviceAccountName\", \"status.hostIP\", "
       "\"status.hostIPs\", \"status.podIP\", \"status.podIPs\""},
      {"fieldRef { fieldPath: \"metadata.bogus\" }",
       from + ".fieldRef.fieldPath: Invalid value: \"metadata.bogus\": error converting fieldPath: field label not "
       "supported: metadata.bogus"},
      {"fieldRef { fieldPath: \"metadata.name['x']\" }",
       from + ".fieldRef.fieldPath: Invalid value: \"metadata.name['x']\": error converting fieldPath: field label does "
       "not support subscript: metadata.name['x']"},
      {"fieldRef { apiVersion: \"v2\" fieldPath: \"metadata.name\" }",
       from + ".fieldRef.fieldPath: Invalid value: \"metadata.name\": error converting fieldPath: unsupported pod version: v2"},
      {"resourceFieldRef {}", from + ".resourceFieldRef.resource: Required value"},
      {"resourceFieldRef { resource: \"limits.gpu\" }",
       from + ".resourceFieldRef.resource: Unsupported value: \"limits.gpu\": supported values: \"limits.cpu\", "
       "\"limits.ephemeral-storage\", \"limits.memory\", \"requests.cpu\", \"requests.ephemeral-storage\", \"requests.memory\""},
      {"resourceFieldRef { resource: \"limits.cpu\" divisor { string: \"1k\" } }",
       from + ".resourceFieldRef.divisor: Invalid value: \"limits.cpu\": only divisor's values 1m and 1 are supported "
       "with the cpu resource"},
      {"resourceFieldRef { resource: \"limits.memory\" divisor { string: \"2Mi\" } }",
       from + ".resourceFieldRef.divisor: Invalid value: \"limits.memory\": only divisor's values 1, 1k, 1M, 1G, 1T, 1P, "
       "1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the memory resource"},
      {"secretKeyRef { localObjectReference { name: \"s\" } key: \"a b\" }",
       from + ".secretKeyRef.key: Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, "
       "'-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"},
  });
  RunCases(Container, {
      {"env {}", kContainer + "env[0].name: Required value"},
      {R"(env { name: "a=b" })",
       kContainer + "env[0].name: Invalid value: \"a=b\": a valid environment variable name must consist only of printable "
       "ASCII characters other than '='"},
      {R"(env { name: "a" value: "x" valueFrom { fieldRef { fieldPath: "metadata.name" } } })",
       from + ": Invalid value: \"\": may not be specified when `value` is not empty"},
      {R"(envFrom { prefix: "p" configMapRef { localObjectReference { name: "m" } } })", ""},
      {R"(envFrom {} envFrom { configMapRef {} secretRef { localObjectReference { name: "s" } } })",
       kContainer + "envFrom: Invalid value: \"\": must specify one of: `configMapRef` or `secretRef`\n" +
       kContainer + "envFrom[1].configMapRef.name: Required value\n" +
       kContainer + "envFrom: Invalid value: \"\": may not have more than one field specified at a time"},
  });
  const PodValidationOptions strict{.allow_relaxed_environment_variable_validation = false};
  BOOST_TEST(ContainerErrors(R"(env { name: "1a" })", "", strict) ==
             kContainer + "env[0].name: Invalid value: \"1a\": a valid environment variable name must consist of alphabetic "
             "characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  "
             "or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')");
}

BOOST_AUTO_TEST_CASE(mounts_and_devices) {
  const auto check = [](const std::string& text) {
    return ContainerErrors(text, R"(volumes { name: "v" } volumes { name: "i" volumeSource { image { reference: "x" } } }
        volumes { name: "b" volumeSource { persistentVolumeClaim { claimName: "c" } } })");
  };
  const std::string mounts = kContainer + "volumeMounts";
  const std::string devices = kContainer + "volumeDevices";
  RunCases(check, {
      {R"(volumeMounts { name: "v" mountPath: "/a" subPath: "x/y" } volumeMounts { name: "v" mountPath: "/b" readOnly: true recursiveReadOnly: "Enabled" })", ""},
      {R"(volumeMounts {})",
       mounts + "[0].name: Required value\n" + mounts + "[0].name: Not found: \"\"\n" + mounts + "[0].mountPath: Required value"},
      {R"(volumeMounts { name: "w" mountPath: "/a" } volumeMounts { name: "v" mountPath: "/a" })",
       mounts + "[0].name: Not found: \"w\"\n" + mounts + "[1].mountPath: Invalid value: \"/a\": must be unique"},
      {R"t(volumeMounts { name: "v" mountPath: "/a" subPath: "/x" } volumeMounts { name: "v" mountPath: "/b" subPath: "a" subPathExpr: "../$(X)" })t",
       mounts + ".subPath: Invalid value: \"/x\": must be a relative path\n" +
       mounts + "[1].subPathExpr: Invalid value: \"../$(X)\": subPathExpr and subPath are mutually exclusive\n" +
       mounts + ".subPathExpr: Invalid value: \"../$(X)\": must not contain '..'"},
      {R"(volumeMounts { name: "v" mountPath: "/a" mountPropagation: "Bidirectional" } volumeMounts { name: "v" mountPath: "/b" mountPropagation: "x" })",
       mounts + ".mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers\n" +
       mounts + ".mountPropagation: Unsupported value: \"x\": supported values: \"Bidirectional\", \"HostToContainer\", \"None\""},
      {R"(securityContext { privileged: true } volumeMounts { name: "v" mountPath: "/a" mountPropagation: "Bidirectional" })", ""},
      {R"(volumeMounts { name: "v" mountPath: "/a" recursiveReadOnly: "IfPossible" mountPropagation: "HostToContainer" } volumeMounts { name: "v" mountPath: "/b" recursiveReadOnly: "x" })",
       mounts + ".recursiveReadOnly: Forbidden: may only be specified when readOnly is true\n" +
       mounts + ".recursiveReadOnly: Forbidden: may only be specified when mountPropagation is None or not specified\n" +
       mounts + ".recursiveReadOnly: Unsupported value: \"x\": supported values: \"Disabled\", \"Enabled\", \"IfPossible\""},
      {R"(volumeMounts { name: "i" mountPath: "/a" subPath: "x" })",
       mounts + "[0].subPath: Invalid value: \"x\": not allowed in image volume sources"},
      {R"(volumeDevices { name: "b" devicePath: "/dev/x" })", ""},
      {R"(volumeDevices { name: "v" devicePath: "/dev/x" } volumeDevices { name: "n" devicePath: "/dev/../x" } volumeDevices {})",
       devices + "[0].name: Invalid value: \"v\": can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode\n" +
       devices + "[1].name: Not found: \"n\"\n" +
       devices + "[1].devicePath: Invalid value: \"/dev/../x\": can not contain backsteps ('..')\n" +
       devices + "[2].name: Required value\n" + devices + "[2].name: Not found: \"\"\n" +
       devices + "[2].devicePath: Required value"},
      {R"(volumeDevices { name: "b" devicePath: "/d" } volumeMounts { name: "b" mountPath: "/d" })",
       mounts + "[0].name: Invalid value: \"b\": must not already exist in volumeDevices\n" +
       mounts + "[0].mountPath: Invalid value: \"/d\": must not already exist as a path in volumeDevices\n" +
       devices + "[0].name: Invalid value: \"b\": must not already exist in volumeMounts\n" +
       devices + "[0].devicePath: Invalid value: \"/d\": must not already exist as a path in volumeMounts"},
  });
}

BOOST_AUTO_TEST_CASE(probes_and_hooks) {
  const std::string live = kContainer + "livenessProbe";
  RunCases(Container, {
      {R"(livenessProbe { handler { exec { command: "x" } } } readinessProbe { handler { tcpSocket { port { type: 1 strVal: "http" } } } successThreshold: 3 }
          startupProbe { handler { grpc { port: 80 } } })", ""},
      {"livenessProbe {}", live + ": Required value: must specify a handler type"},
      {R"(livenessProbe { handler { exec {} httpGet { port { type: 0 intVal: 80 } } } })",
       live + ".exec.command: Required value\n" + live + ".httpGet: Forbidden: may not specify more than 1 handler type"},
      {R"(livenessProbe { handler { httpGet { port { type: 0 intVal: 0 } scheme: "FTP" httpHeaders { name: "a_b" } } } })",
       live + ".httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive\n" +
       live + ".httpGet.scheme: Unsupported value: \"FTP\": supported values: \"HTTP\", \"HTTPS\"\n" +
       live + ".httpGet.httpHeaders: Invalid value: \"a_b\": a valid HTTP header must consist of alphanumeric characters or "
       "'-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"},
      {R"(livenessProbe { handler { grpc { port: 70000 } } initialDelaySeconds: -1 successThreshold: 2 terminationGracePeriodSeconds: 0 })",
       live + ".grpc.port: Invalid value: 70000: must be between 1 and 65535, inclusive\n" +
       live + ".initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0\n" +
       live + ".terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0\n" +
       live + ".successThreshold: Invalid value: 2: must be 1"},
      {R"(startupProbe { handler { exec { command: "x" } } successThreshold: 2 })",
       kContainer + "startupProbe.successThreshold: Invalid value: 2: must be 1"},
      {R"(readinessProbe { handler { tcpSocket { port { type: 1 strVal: "A" } } } terminationGracePeriodSeconds: 5 })",
       kContainer + "readinessProbe.tcpSocket.port: Invalid value: \"A\": must contain only alpha-numeric characters (a-z, "
       "0-9), and hyphens (-)\n" +
       kContainer + "readinessProbe.tcpSocket.port: Invalid value: \"A\": must contain at least one letter (a-z)\n" +
       kContainer + "readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes"},
      {"lifecycle { preStop { sleep { seconds: 30 } } postStart { exec { command: \"x\" } } }", ""},
      {"lifecycle { preStop { sleep { seconds: 31 } } postStart {} }",
       kContainer + "lifecycle.postStart: Required value: must specify a handler type\n" +
       kContainer + "lifecycle.preStop.sleep: Invalid value: 31: must be greater than 0 and less than "
       "terminationGracePeriodSeconds (30). Enable AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep."},
  });
}

BOOST_AUTO_TEST_CASE(resources) {
  const auto check = [](const std::string& text) { return ContainerErrors("resources {" + text + "}"); };
  const auto entry = [](const std::string& list, const std::string& name, const std::string& value) {
    return list + " { key: \"" + name + "\" value { string: \"" + value + "\" } } ";
  };
  const std::string r = kContainer + "resources.";
  RunCases(check, {
      {entry("limits", "cpu", "1") + entry("requests", "cpu", "500m") + entry("limits", "example.com/gpu", "2") +
       entry("limits", "hugepages-2Mi", "4Mi") + entry("requests", "ephemeral-storage", "1Gi"), ""},
      {entry("limits", "cpu", "1") + entry("requests", "cpu", "2"),
       r + "requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"},
      {entry("limits", "example.com/gpu", "2") + entry("requests", "example.com/gpu", "1"),
       r + "requests: Invalid value: \"1\": must be equal to example.com/gpu limit of 2"},
      {entry("requests", "example.com/gpu", "1"),
       r + "limits: Required value: Limit must be set for non overcommitable resources"},
      {entry("requests", "memory", "-1"), r + "requests[memory]: Invalid value: \"-1\": must be greater than or equal to 0"},
      {entry("limits", "example.com/gpu", "500m"),
       r + "limits[example.com/gpu]: Invalid value: \"500m\": must be an integer\n" +
       r + "requests[example.com/gpu]: Invalid value: \"500m\": must be an integer"},
      {entry("limits", "storage", "1") + entry("requests", "storage", "1"),
       r + "limits[storage]: Invalid value: \"storage\": must be a standard resource for containers\n" +
       r + "requests[storage]: Invalid value: \"storage\": must be a standard resource for containers"},
      {entry("requests", "requests.x.com/a", "1"),
       r + "requests[requests.x.com/a]: Invalid value: \"requests.x.com/a\": doesn't follow extended resource name standard\n" +
       r + "limits: Required value: Limit must be set for non overcommitable resources"},
      {entry("limits", "hugepages-2Mi", "3Mi") + entry("requests", "hugepages-2Mi", "3Mi"),
       r + "limits[hugepages-2Mi]: Invalid value: \"3Mi\": 3Mi is not positive integer multiple of hugepages-2Mi\n" +
       r + "requests[hugepages-2Mi]: Invalid value: \"3Mi\": 3Mi is not positive integer multiple of hugepages-2Mi\n" +
       kContainer + "resources: Forbidden: HugePages require cpu or memory"},
      {"claims { name: \"a\" } claims {}",
       r + "claims[0]: Not found: \"a\": must be one of the names in pod.spec.resourceClaims which is empty\n" +
       r + "claims[1]: Required value"},
  });
  BOOST_TEST(ContainerErrors(R"(resources { claims { name: "a" request: "x" } claims { name: "a" request: "y" } claims { name: "a" } claims { name: "b" } })",
                             R"(resourceClaims { name: "a" resourceClaimName: "c" })") ==
             r + "claims[2]: Duplicate value: \"a\"\n" + r + "claims[2]: Duplicate value: \"a\"\n" +
             r + "claims[3]: Not found: \"b\": must be one of the names in pod.spec.resourceClaims: a");
}

BOOST_AUTO_TEST_CASE(security_contexts) {
  const auto container = [](const std::string& text) { return ContainerErrors("securityContext {" + text + "}"); };
  const std::string s = kContainer + "securityContext";
  RunCases(container, {
      {R"(privileged: true runAsUser: 0 runAsGroup: 5 procMount: "Default" seccompProfile { type: "Localhost" localhostProfile: "a/b.json" } appArmorProfile { type: "RuntimeDefault" })", ""},
      {"runAsUser: -1 runAsGroup: 2147483648",
       s + ".runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive\n" +
       s + ".runAsGroup: Invalid value: 2147483648: must be between 0 and 2147483647, inclusive"},
      {R"(procMount: "Unmasked")", s + ".procMount: Invalid value: \"Unmasked\": `hostUsers` must be false to use `Unmasked`"},
      {R"(procMount: "x")", s + ".procMount: Unsupported value: \"x\": supported values: \"Default\", \"Unmasked\""},
      {"seccompProfile {}", s + ".seccompProfile.type: Required value: type is required when seccompProfile is set"},
      {R"(seccompProfile { type: "Localhost" })",
       s + ".seccompProfile.localhostProfile: Required value: must be set when seccomp type is Localhost"},
      {R"(seccompProfile { type: "Other" localhostProfile: "x" })",
       s + ".seccompProfile.type: Unsupported value: \"Other\": supported values: \"Localhost\", \"RuntimeDefault\", \"Unconfined\"\n" +
       s + ".seccompProfile.localhostProfile: Invalid value: \"x\": can only be set when seccomp type is Localhost"},
      {R"(seccompProfile { type: "Localhost" localhostProfile: "../x" })",
       s + ".seccompProfile.localhostProfile: Invalid value: \"../x\": must not contain '..'"},
      {R"(appArmorProfile { type: "Localhost" localhostProfile: " x" })",
       s + ".appArmorProfile.localhostProfile: Invalid value: \" x\": must not be padded with whitespace"},
      {R"(appArmorProfile { type: "Localhost" })",
       s + ".appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is Localhost"},
      {"allowPrivilegeEscalation: false privileged: true capabilities { add: \"CAP_SYS_ADMIN\" }",
       s + ": Invalid value: {allowPrivilegeEscalation: false, privileged: true}: cannot set `allowPrivilegeEscalation` to "
       "false and `privileged` to true\n" +
       s + ": Invalid value: {allowPrivilegeEscalation: false, capabilities: {add: [CAP_SYS_ADMIN]}}: cannot set "
       "`allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"},
      {R"(windowsOptions { runAsUserName: "" })",
       s + ".windowsOptions.runAsUserName: Invalid value: \"\": runAsUserName cannot be an empty string"},
      {R"(windowsOptions { runAsUserName: "a\\b\\c" gmsaCredentialSpec: "" })",
       s + ".windowsOptions.gmsaCredentialSpec: Invalid value: \"\": gmsaCredentialSpec cannot be an empty string\n" +
       s + ".windowsOptions.runAsUserName: Invalid value: \"a\\\\b\\\\c\": runAsUserName cannot contain more than one backslash"},
      {R"(windowsOptions { hostProcess: true })",
       "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers"},
  });
  const auto pod = [](const std::string& text) { return SpecErrors(text); };
  const std::string p = "spec.securityContext.";
  RunCases(pod, {
      {R"(securityContext { runAsUser: 1 fsGroup: 2 supplementalGroups: 3 fsGroupChangePolicy: "Always" supplementalGroupsPolicy: "Strict" sysctls { name: "net.ipv4.ip_forward" value: "1" } sysctls { name: "kernel/shm_rmid_forced" value: "1" } })", ""},
      {R"(securityContext { fsGroup: -1 supplementalGroups: -2 fsGroupChangePolicy: "x" supplementalGroupsPolicy: "y" })",
       p + "fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive\n" +
       p + "supplementalGroups[0]: Invalid value: -2: must be between 0 and 2147483647, inclusive\n" +
       p + "fsGroupChangePolicy: Unsupported value: \"x\": supported values: \"Always\", \"OnRootMismatch\"\n" +
       p + "supplementalGroupsPolicy: Unsupported value: \"y\": supported values: \"Merge\", \"Strict\""},
      {"hostPID: true shareProcessNamespace: true",
       p + "shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled"},
      {R"(securityContext { sysctls {} sysctls { name: "A" } sysctls { name: "a.b" } sysctls { name: "a.b" } })",
       p + "sysctls[0].name: Required value\n" +
       p + "sysctls[1].name: Invalid value: \"A\": must have at most 253 characters and match regex "
       "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$\n" +
       p + "sysctls[3].name: Duplicate value: \"a.b\""},
      {R"(hostNetwork: true hostIPC: true securityContext { sysctls { name: "net/core/somaxconn" } sysctls { name: "kernel.shmmax" } sysctls { name: "fs.mqueue.msg_max" } sysctls { name: "vm.swappiness" } })",
       p + "sysctls[0].name: Invalid value: \"net/core/somaxconn\": may not be specified when 'hostNetwork' is true\n" +
       p + "sysctls[1].name: Invalid value: \"kernel.shmmax\": may not be specified when 'hostIPC' is true\n" +
       p + "sysctls[2].name: Invalid value: \"fs.mqueue.msg_max\": may not be specified when 'hostIPC' is true"},
  });
  BOOST_TEST(ContainerErrors(R"(securityContext { procMount: "Unmasked" })", "hostUsers: false") == "");
}

BOOST_AUTO_TEST_CASE(init_and_ephemeral_containers) {
  const std::string i = "spec.initContainers[0].";
  const std::string probe = "{ handler { exec { command: \"x\" } } }";
  const auto pod = [](const std::string& text) { return SpecErrors(text); };
  RunCases(pod, {
      {R"(initContainers { name: "i" image: "x" restartPolicy: "Always" livenessProbe )" + probe + " startupProbe " + probe + "}", ""},
      {R"(initContainers { name: "i" image: "x" livenessProbe )" + probe + " readinessProbe " + probe + " startupProbe " + probe + " lifecycle {} }",
       i + "lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always\n" +
       i + "livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always\n" +
       i + "readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always\n" +
       i + "startupProbe: Forbidden: may not be set for init containers without restartPolicy=Always"},
      {R"(initContainers { name: "i" image: "x" restartPolicy: "Never" })",
       i + "restartPolicy: Unsupported value: \"Never\": supported values: \"Always\""},
      {R"(initContainers { name: "c" image: "x" })", i + "name: Duplicate value: \"c\""},
      {R"(initContainers { name: "i" image: "x " })",
       i + "image: Invalid value: \"x \": must not have leading or trailing whitespace"},
      {R"(initContainers { name: "i" image: "x" resizePolicy { resourceName: "cpu" restartPolicy: "NotRequired" } })",
       i + "resizePolicy: Invalid value: \"cpu\": must not be set for init containers"},
      {R"(ephemeralContainers { targetContainerName: "zz" ephemeralContainerCommon { name: "c" image: "x" ports { containerPort: 1 } livenessProbe )" + probe + "} }",
       "spec.ephemeralContainers[0].name: Duplicate value: \"c\"\n"
       "spec.ephemeralContainers[0].targetContainerName: Not found: \"zz\"\n"
       "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container\n"
       "spec.ephemeralContainers[0].livenessProbe: Forbidden: cannot be set for an Ephemeral Container\n"
       "spec.ephemeralContainers: Forbidden: cannot be set on create"},
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace knarr::api::testing
