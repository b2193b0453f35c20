"""The native client core of Realm's Kotlin SDK (realm-core 14.12.0), a library inside a package of Maven Central."""

import pathlib
import shutil
import subprocess
import tempfile
import zipfile

PACKAGE = "io.realm.kotlin:cinterop-jvm:2.3.0"
FOLDER = pathlib.Path.home() / ".cache/restitch/native-core-2.3.0"
MEMBER = "jni/linux/librealmc.so"


def provide():
    """The library's path, fetched with Maven when it is not in the cache yet."""
    library = FOLDER / "librealmc.so"
    if library.is_file():
        return library
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        subprocess.run(["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={PACKAGE}", f"-DoutputDirectory={scratch}"],
                       check=True)
        jar = next(pathlib.Path(scratch).glob("*.jar"))
        with zipfile.ZipFile(jar) as archive, archive.open(MEMBER) as source:
            fresh = pathlib.Path(scratch) / "librealmc.so"
            with fresh.open("wb") as target:
                shutil.copyfileobj(source, target)
        fresh.rename(library)
    return library
