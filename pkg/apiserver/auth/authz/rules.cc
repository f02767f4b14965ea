#include "pkg/apiserver/auth/authz/rules.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "k8s.io/api/rbac/v1/generated.pb.h"
#include "pkg/api/field/quote.h"

namespace knarr::auth::rbac {
namespace {

bool Has(const Texts& set, std::string_view text) {
  return std::find(set.begin(), set.end(), text) != set.end();
}

bool HasAll(const Texts& set, const Texts& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](std::string_view text) { return Has(set, text); });
}

// "/api/*" and "*": stars at the end stand for the rest.
bool UrlMatches(std::string_view pattern, std::string_view path) {
  if (pattern == path || pattern == "*") return true;
  if (!pattern.ends_with('*')) return false;
  while (pattern.ends_with('*')) pattern.remove_suffix(1);
  return path.starts_with(pattern);
}

bool ResourceMatches(const Rule& rule, const Attributes& attributes) {
  for (const std::string_view pattern : rule.resources) {
    if (pattern == "*") return true;
    if (attributes.subresource.empty()) {
      if (pattern == attributes.resource) return true;
      continue;
    }
    const size_t slash = pattern.find('/');
    if (slash == std::string_view::npos || pattern.substr(slash + 1) != attributes.subresource) continue;
    const std::string_view resource = pattern.substr(0, slash);
    if (resource == "*" || resource == attributes.resource) return true;
  }
  return false;
}

bool ResourcesCover(const Texts& owned, const Texts& wanted) {
  if (Has(owned, "*")) return true;
  return std::all_of(wanted.begin(), wanted.end(), [&](std::string_view resource) {
    if (Has(owned, resource)) return true;
    const size_t slash = resource.find('/');
    return slash != std::string_view::npos && Has(owned, "*" + std::string(resource.substr(slash)));
  });
}

bool Covers(const Rule& owned, const Rule& wanted) {
  if (!Has(owned.verbs, "*") && !HasAll(owned.verbs, wanted.verbs)) return false;
  if (!Has(owned.api_groups, "*") && !HasAll(owned.api_groups, wanted.api_groups)) return false;
  if (!ResourcesCover(owned.resources, wanted.resources)) return false;
  if (!owned.resource_names.empty() &&
      (wanted.resource_names.empty() || !HasAll(owned.resource_names, wanted.resource_names))) {
    return false;
  }
  return std::all_of(wanted.urls.begin(), wanted.urls.end(), [&](std::string_view url) {
    return std::any_of(owned.urls.begin(), owned.urls.end(),
                       [&](std::string_view pattern) { return UrlMatches(pattern, url); });
  });
}

std::vector<Rule> BreakDown(const Rule& rule) {
  std::vector<Rule> out;
  for (const std::string_view group : rule.api_groups) {
    for (const std::string_view resource : rule.resources) {
      for (const std::string_view verb : rule.verbs) {
        if (rule.resource_names.empty())
          out.push_back({.verbs = {verb}, .api_groups = {group}, .resources = {resource}});
        for (const std::string_view name : rule.resource_names)
          out.push_back({.verbs = {verb}, .api_groups = {group}, .resources = {resource}, .resource_names = {name}});
      }
    }
  }
  for (const std::string_view url : rule.urls) {
    for (const std::string_view verb : rule.verbs) out.push_back({.verbs = {verb}, .urls = {url}});
  }
  return out;
}

void AppendList(std::string_view name, const Texts& texts, std::string* out) {
  if (texts.empty()) return;
  if (out->size() > 1) *out += ", ";
  out->append(name).append(":[");
  for (size_t i = 0; i < texts.size(); ++i) out->append(i == 0 ? "" : " ").append(field::Quote(texts[i]));
  *out += ']';
}

}  // namespace

Rule FromProto(const ::k8s::io::api::rbac::v1::PolicyRule& rule) {
  const auto texts = [](const auto& from) { return Texts(from.begin(), from.end()); };
  return {.verbs = texts(rule.verbs()),
          .api_groups = texts(rule.apigroups()),
          .resources = texts(rule.resources()),
          .resource_names = texts(rule.resourcenames()),
          .urls = texts(rule.nonresourceurls())};
}

void ToProto(const Rule& rule, ::k8s::io::api::rbac::v1::PolicyRule* out) {
  for (const std::string_view text : rule.verbs) out->add_verbs(std::string(text));
  for (const std::string_view text : rule.api_groups) out->add_apigroups(std::string(text));
  for (const std::string_view text : rule.resources) out->add_resources(std::string(text));
  for (const std::string_view text : rule.resource_names) out->add_resourcenames(std::string(text));
  for (const std::string_view text : rule.urls) out->add_nonresourceurls(std::string(text));
}

bool Allows(const Rule& rule, const Attributes& attributes) {
  if (!Has(rule.verbs, "*") && !Has(rule.verbs, attributes.verb)) return false;
  if (!attributes.resource_request) {
    return std::any_of(rule.urls.begin(), rule.urls.end(),
                       [&](std::string_view pattern) { return UrlMatches(pattern, attributes.path); });
  }
  if (!Has(rule.api_groups, "*") && !Has(rule.api_groups, attributes.api_group)) return false;
  if (!ResourceMatches(rule, attributes)) return false;
  return rule.resource_names.empty() || Has(rule.resource_names, attributes.name);
}

std::vector<Rule> Missing(const std::vector<Rule>& owned, const std::vector<Rule>& wanted) {
  std::vector<Rule> out;
  for (const Rule& rule : wanted) {
    for (Rule& part : BreakDown(rule)) {
      const auto covers = [&](const Rule& owner) { return Covers(owner, part); };
      if (std::none_of(owned.begin(), owned.end(), covers)) out.push_back(std::move(part));
    }
  }
  return out;
}

std::vector<Rule> Compact(const std::vector<Rule>& rules) {
  std::vector<Rule> out;
  std::map<std::tuple<std::string_view, std::string_view, Texts>, size_t> simple;
  for (const Rule& rule : rules) {
    if (rule.resource_names.size() > 1 || !rule.urls.empty() || rule.api_groups.size() != 1 ||
        rule.resources.size() != 1) {
      out.push_back(rule);
      continue;
    }
    const auto [found, added] =
        simple.try_emplace({rule.api_groups[0], rule.resources[0], rule.resource_names}, out.size());
    if (added) {
      out.push_back(rule);
    } else {
      Texts& verbs = out[found->second].verbs;
      verbs.insert(verbs.end(), rule.verbs.begin(), rule.verbs.end());
    }
  }
  return out;
}

std::string Describe(const Rule& rule) {
  std::string out = "{";
  AppendList("APIGroups", rule.api_groups, &out);
  AppendList("Resources", rule.resources, &out);
  AppendList("NonResourceURLs", rule.urls, &out);
  AppendList("ResourceNames", rule.resource_names, &out);
  AppendList("Verbs", rule.verbs, &out);
  return out + "}";
}

std::string QuotedList(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out.append(out.size() > 1 ? " " : "").append(field::Quote(text));
  return out + "]";
}

}  // namespace knarr::auth::rbac
