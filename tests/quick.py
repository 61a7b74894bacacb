"""For programs that run once: most of the time of such tests is the compiler's, and of that most is optimisation."""

QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
