"""Facts about the machine that a figure depends on."""

import os
import platform
import subprocess


def _first_value(file, key):
    with open(file) as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return "unknown"


def _os_name():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def file_system_of(directory):
    found = subprocess.run(
        ["findmnt", "-no", "FSTYPE", "-T", str(directory)], capture_output=True, text=True
    )
    return found.stdout.strip() or "unknown"


def describe_machine(work_dir):
    return {
        "processor": _first_value("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _first_value("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "system": _os_name(),
        "data_file_system": file_system_of(work_dir),
        "load_average_at_start": os.getloadavg()[0],
    }


def choose_cores():
    """(server core, driver core): two different ones where the machine has two."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]
