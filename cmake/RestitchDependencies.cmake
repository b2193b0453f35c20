# Libraries of the distribution, each as one imported target.
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(ICU REQUIRED COMPONENTS uc i18n)
find_package(GTest REQUIRED)
find_package(PkgConfig REQUIRED)

pkg_check_modules(PCRE2_PC REQUIRED IMPORTED_TARGET libpcre2-8)
add_library(PCRE2::PCRE2 ALIAS PkgConfig::PCRE2_PC)
pkg_check_modules(ARGON2_PC REQUIRED IMPORTED_TARGET libargon2)
add_library(Argon2::Argon2 ALIAS PkgConfig::ARGON2_PC)
pkg_check_modules(YAML_PC REQUIRED IMPORTED_TARGET yaml-cpp)
add_library(YamlCpp::YamlCpp ALIAS PkgConfig::YAML_PC)
pkg_check_modules(ROCKSDB_PC REQUIRED IMPORTED_TARGET rocksdb)
add_library(RocksDB::RocksDB ALIAS PkgConfig::ROCKSDB_PC)

find_library(RESTITCH_PROMETHEUS prometheus-cpp-core REQUIRED)
add_library(PrometheusCore::PrometheusCore INTERFACE IMPORTED)
target_link_libraries(PrometheusCore::PrometheusCore INTERFACE ${RESTITCH_PROMETHEUS})

find_library(RESTITCH_INTEL_DECIMAL bidgcc000 REQUIRED)
add_library(IntelDecimal::IntelDecimal INTERFACE IMPORTED)
target_link_libraries(IntelDecimal::IntelDecimal INTERFACE ${RESTITCH_INTEL_DECIMAL})

find_path(RESTITCH_CLI11 CLI/CLI.hpp REQUIRED)
add_library(CLI11::CLI11 INTERFACE IMPORTED)
target_include_directories(CLI11::CLI11 INTERFACE ${RESTITCH_CLI11})
