// SSL_CTX for servers and clients, rebuilt when their files change.
#include <sys/stat.h>

#include <cstring>
#include <mutex>

#include "pkg/base/log.h"
#include "pkg/net/tls/impl.h"
#include "pkg/net/tls/openssl.h"
#include "pkg/net/tls/tls.h"

namespace knarr::tls {
namespace internal {
namespace {

constexpr auto kCheckEvery = std::chrono::seconds(1);

// What a change of any of the files changes.
std::string StampOf(const std::vector<std::string>& files) {
  std::string stamp;
  for (const std::string& file : files) {
    struct stat st {};
    if (!file.empty() && ::stat(file.c_str(), &st) == 0) {
      stamp += fmt::format("{}:{}.{}:{};", st.st_ino, st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_size);
    } else {
      stamp += "-;";
    }
  }
  return stamp;
}

Result<CtxPtr> NewContext(const SSL_METHOD* method, const std::string& min_version,
                          const std::vector<std::string>& ciphers) {
  const Version version = KNARR_TRY(ParseVersion(min_version));
  const std::string list = KNARR_TRY(CipherList(ciphers));
  CtxPtr ctx(SSL_CTX_new(method), SSL_CTX_free);
  if (!ctx) return Error(Code::kInternal, "tls: {}", LastError());
  SSL_CTX_set_min_proto_version(ctx.get(), version == Version::kTls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(
      ctx.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(ctx.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(ctx.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx.get(), 0);
  if (SSL_CTX_set_cipher_list(ctx.get(), list.c_str()) != 1)
    return Error(Code::kInvalid, "tls cipher suites: {}", LastError());
  return ctx;
}

Status UseKeyPair(SSL_CTX* ctx, const std::string& cert, const std::string& key) {
  if (SSL_CTX_use_certificate_chain_file(ctx, cert.c_str()) != 1)
    return Error(Code::kInvalid, "tls certificate {}: {}", cert, LastError());
  if (SSL_CTX_use_PrivateKey_file(ctx, key.c_str(), SSL_FILETYPE_PEM) != 1)
    return Error(Code::kInvalid, "tls key {}: {}", key, LastError());
  if (SSL_CTX_check_private_key(ctx) != 1)
    return Error(Code::kInvalid, "tls: the key {} does not belong to the certificate {}", key, cert);
  return {};
}

int ChooseAlpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
               void* arg) {
  const auto& ours = *static_cast<const std::string*>(arg);
  unsigned char* chosen = nullptr;
  const int rc = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                                       static_cast<unsigned>(ours.size()), in, in_size);
  if (rc != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

std::string AlpnWire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  return wire;
}

int AcceptUnverified(int ok, X509_STORE_CTX* store) {
  if (ok == 0) {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    *static_cast<bool*>(SSL_get_app_data(ssl)) = true;
  }
  return 1;
}

X509_STORE* FrontProxyStore(const SSL_CTX* ctx) {
  return static_cast<X509_STORE*>(SSL_CTX_get_app_data(ctx));
}

Result<CtxPtr> ServerImpl::Build() const {
  CtxPtr ctx = KNARR_TRY(NewContext(TLS_server_method(), options.min_version, options.cipher_suites));
  SSL_CTX_set_options(ctx.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
  KNARR_TRY(UseKeyPair(ctx.get(), options.cert_file, options.key_file));
  if (!options.client_ca_file.empty() && SSL_CTX_load_verify_file(ctx.get(), options.client_ca_file.c_str()) != 1)
    return Error(Code::kInvalid, "unable to load client CA file {}: {}", options.client_ca_file, LastError());
  if (!options.front_proxy_ca_file.empty()) {
    std::shared_ptr<X509_STORE> store(X509_STORE_new(), X509_STORE_free);
    if (X509_STORE_load_file(store.get(), options.front_proxy_ca_file.c_str()) != 1) {
      return Error(Code::kInvalid, "unable to load front proxy CA file {}: {}", options.front_proxy_ca_file,
                   LastError());
    }
    SSL_CTX_set_app_data(ctx.get(), store.get());
    // The context keeps the store alive.
    ctx = CtxPtr(ctx.get(), [ctx, store](SSL_CTX*) {});
  }
  // Clients choose a certificate by the names of the authorities.
  bool ask = false;
  STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
  for (const std::string& file : {options.client_ca_file, options.front_proxy_ca_file}) {
    if (file.empty()) continue;
    ask = true;
    SSL_add_file_cert_subjects_to_stack(names, file.c_str());
  }
  ERR_clear_error();
  SSL_CTX_set_client_CA_list(ctx.get(), names);
  if (ask) SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER, AcceptUnverified);
  if (!alpn_wire.empty()) SSL_CTX_set_alpn_select_cb(ctx.get(), ChooseAlpn, const_cast<std::string*>(&alpn_wire));
  return ctx;
}

Result<CtxPtr> ClientImpl::Build() const {
  const CtxPtr ctx = KNARR_TRY(NewContext(TLS_client_method(), options.min_version, {}));
  if (options.insecure_skip_verify) {
    SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_NONE, nullptr);
  } else {
    SSL_CTX_set_verify(ctx.get(), SSL_VERIFY_PEER, nullptr);
    if (!options.ca_file.empty()) {
      if (SSL_CTX_load_verify_file(ctx.get(), options.ca_file.c_str()) != 1) {
        return Error(Code::kInvalid, "unable to load CA file {}: {}", options.ca_file, LastError());
      }
    } else if (!options.ca_pem.empty()) {
      const BioPtr bio(BIO_new_mem_buf(options.ca_pem.data(), static_cast<int>(options.ca_pem.size())));
      int count = 0;
      while (X509Ptr cert{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx.get()), cert.get());
        ++count;
      }
      ERR_clear_error();
      if (count == 0) return Error(Code::kInvalid, "the CA data holds no PEM certificate");
    } else {
      SSL_CTX_set_default_verify_paths(ctx.get());
    }
  }
  if (!options.cert_file.empty()) KNARR_TRY(UseKeyPair(ctx.get(), options.cert_file, options.key_file));
  return ctx;
}

Status Reloader::Load(const std::function<Result<CtxPtr>()>& build) {
  stamp_ = StampOf(files_);
  current_ = KNARR_TRY(build());
  checked_ = clock_.Monotonic();
  return {};
}

CtxPtr Reloader::Get(const std::function<Result<CtxPtr>()>& build) {
  std::lock_guard lock(mutex_);
  const MonoTime now = clock_.Monotonic();
  if (files_.empty() || now - checked_ < kCheckEvery) return current_;
  checked_ = now;
  std::string stamp = StampOf(files_);
  if (stamp == stamp_) return current_;
  stamp_ = std::move(stamp);
  Result<CtxPtr> fresh = build();
  if (!fresh.ok()) {
    Logger().Error(fresh.status(), "Changed TLS files cannot be used, the old ones stay in use",
                   {{"file", files_.front()}});
    return current_;
  }
  Logger().Info("Reloaded TLS files", {{"file", files_.front()}});
  current_ = std::move(*fresh);
  return current_;
}

}  // namespace internal

ServerConfig::ServerConfig(std::unique_ptr<internal::ServerImpl> impl) : impl_(std::move(impl)) {}
ServerConfig::~ServerConfig() = default;

Result<std::shared_ptr<ServerConfig>> ServerConfig::New(ServerOptions options, Clock& clock) {
  auto impl = std::make_unique<internal::ServerImpl>(std::move(options), clock);
  KNARR_TRY(impl->reloader.Load([&] { return impl->Build(); }));
  return std::shared_ptr<ServerConfig>(new ServerConfig(std::move(impl)));
}

ClientConfig::ClientConfig(std::unique_ptr<internal::ClientImpl> impl) : impl_(std::move(impl)) {}
ClientConfig::~ClientConfig() = default;

Result<std::shared_ptr<ClientConfig>> ClientConfig::New(ClientOptions options, Clock& clock) {
  auto impl = std::make_unique<internal::ClientImpl>(std::move(options), clock);
  KNARR_TRY(impl->reloader.Load([&] { return impl->Build(); }));
  return std::shared_ptr<ClientConfig>(new ClientConfig(std::move(impl)));
}

}  // namespace knarr::tls
