// Loads of narrow types as operators use them; included once an ISA by narrow_test.cc.

inline void WidenFirst(const F16* from, int count, float* to) {
  Store(to, LoadN(from, count, -7.0f));
}
inline void WidenFirst(const F8E4m3* from, int count, float* to) {
  Store(to, LoadN(from, count, -7.0f));
}
