"""libparquet carries its own OpenSSL and simdjson; none of their symbols may cross to or from the system's libraries."""

import os
import re
import subprocess

from conftest import TARN

# Of simdjson only its own functions: Arrow has some of its own that merely take its types.
CRYPTO = re.compile(r"^(EVP|SSL|CRYPTO|OPENSSL|BIO|RSA|EC|AES|SHA|HMAC|X509|ASN1|BN|ERR|RAND)_|^_Z[NTSVI]*K?8simdjson")


def test_no_symbol_of_openssl_or_simdjson_crosses_between_libraries(tmp_path):
    out = tmp_path / "bindings"
    subprocess.run(
        [TARN, "version"],
        check=True,
        capture_output=True,
        env={**os.environ, "LD_DEBUG": "bindings", "LD_BIND_NOW": "1", "LD_DEBUG_OUTPUT": str(out)},
    )
    lines = "\n".join(path.read_text(errors="replace") for path in tmp_path.glob("bindings*"))
    assert "binding file" in lines
    crossings = [
        match.groups()
        for match in re.finditer(r"binding file (\S+) \[0\] to (\S+) \[0\]: normal symbol `([^']+)'", lines)
        if CRYPTO.search(match.group(3)) and ("libparquet" in match.group(1)) != ("libparquet" in match.group(2))
    ]
    assert crossings == []
