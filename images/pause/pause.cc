// The process that holds a pod's namespaces: does nothing, reaps orphans (it is PID 1 where the pod shares a PID
// namespace), ends on SIGTERM and SIGINT. Built without any library, so a sleeping pod costs a few pages.
// Mirrors: build/pause/linux/pause.c
namespace {

constexpr unsigned long kSigInt = 2, kSigTerm = 15, kSigChld = 17;
constexpr long kSigBlock = 0, kNoHang = 1, kInterrupted = -4;

#if defined(__x86_64__)
enum Number : long {
  kRtSigprocmask = 14,
  kGetpid = 39,
  kWait4 = 61,
  kWrite = 1,
  kRtSigtimedwait = 128,
  kExitGroup = 231
};

long Call(Number number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long r10 asm("r10") = d;
  long result;
  asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
enum Number : long {
  kRtSigprocmask = 135,
  kGetpid = 172,
  kWait4 = 260,
  kWrite = 64,
  kRtSigtimedwait = 137,
  kExitGroup = 94
};

long Call(Number number, long a = 0, long b = 0, long c = 0, long d = 0) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#else
#error "pause: add this machine's system calls"
#endif

template <unsigned long Size>
void Say(const char (&text)[Size]) {
  Call(kWrite, 2, reinterpret_cast<long>(text), Size - 1);
}

constexpr unsigned long Bit(unsigned long signal) {
  return 1UL << (signal - 1);
}

}  // namespace

extern "C" [[noreturn]] void _start() {
  if (Call(kGetpid) != 1) Say("Warning: pause should be the first process\n");
  // Blocked signals are kept even for PID 1, which would otherwise not get those it has no handler for.
  const unsigned long wanted = Bit(kSigInt) | Bit(kSigTerm) | Bit(kSigChld);
  Call(kRtSigprocmask, kSigBlock, reinterpret_cast<long>(&wanted), 0, sizeof wanted);
  while (true) {
    const long signal = Call(kRtSigtimedwait, reinterpret_cast<long>(&wanted), 0, 0, sizeof wanted);
    if (signal == static_cast<long>(kSigChld)) {
      while (Call(kWait4, -1, 0, kNoHang, 0) > 0) {
      }
      continue;
    }
    if (signal == kInterrupted) continue;
    Say("Shutting down\n");
    Call(kExitGroup, 0);
  }
}
