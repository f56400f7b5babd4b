# Read by CMake when `make test-llamacpp` builds llama-cpp-python, whose own CMakeLists.txt sets this option to ON.
# The library of llama.cpp's command line programs takes longer to compile than all the rest, and Python needs none of it.
set(LLAMA_BUILD_COMMON OFF)
