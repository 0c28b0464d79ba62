"""A real S3 service for tests to talk to, and to take away."""

import os
import socket
import subprocess
import threading
from pathlib import Path

from dev_tasks import parts

KEY, SECRET, REGION = "AKTARNTEST", "tarn-test-secret", "us-east-1"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def certificate(folder: Path) -> tuple[Path, Path]:
    """A new one of 127.0.0.1 that nobody trusts, and its key."""
    found = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", found[1], "-out", found[0]],
        check=True, capture_output=True,
    )  # fmt: skip
    return found


def await_port(process: subprocess.Popen, port: int, log: Path) -> None:
    """Waits until a service answers there."""
    pause = threading.Event()
    for _ in range(1500):
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            pause.wait(0.02)
    raise AssertionError("the service did not start:\n" + log.read_text())


class Service:
    """One S3 service on a free loopback port, over a fresh folder, with the bucket `lake`."""

    def __init__(self, name: str, folder: Path, certificate: tuple[Path, Path] | None = None):
        self.port = free_port()
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        data = self.data = folder / "data"
        # So that a test can look at what the service holds.
        self.objects_are_files = name == "versitygw"
        # A folder in its root is a bucket to versitygw, and to MinIO too.
        (data / "lake").mkdir(parents=True)
        address = f"127.0.0.1:{self.port}"
        if name == "versitygw":
            tls = ["--cert", certificate[0], "--key", certificate[1]] if certificate else []
            command = [
                parts.versitygw(), "-p", address, "--quiet", "--access", KEY, "--secret", SECRET, *tls, "posix", data
            ]  # fmt: skip
        else:
            command = [parts.minio(), "server", "--address", address, "--console-address", "127.0.0.1:0", data]
        self.command = [str(part) for part in command]
        self.command_env = {
            **os.environ, "MINIO_ROOT_USER": KEY, "MINIO_ROOT_PASSWORD": SECRET, "HOME": str(folder)
        }  # fmt: skip
        self.log = folder / "log"
        self.env = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }
        self.options = {**self.env, "AWS_ALLOW_HTTP": "true", "conditional_put": "etag"}

    def start(self) -> "Service":
        """Also once more after stop, over the same folder."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=self.command_env)
        await_port(self.process, self.port, self.log)
        return self

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
