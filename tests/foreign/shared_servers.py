"""Servers of others that a shared cache meets, each in a folder of its own with a configuration of its own.

docs/shared-cache.md shows what is configured here, without what only a test needs.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.mount.world import until

#: pieces are kept for ever, and claims never
NGINX_STATIC = """
root FOLDER;
add_header Cache-Control "public, max-age=31536000, immutable";
location ~ \\.claim$ { add_header Cache-Control no-store; }
"""
#: the same, and other machines put pieces there
NGINX_DAV = f"""{NGINX_STATIC}
dav_methods PUT DELETE;
create_full_put_path on;
client_max_body_size 2m;
"""
#: a cache in front of `coursefs serve-cache`; with a longer lock, forty answers "not there" would follow one another
NGINX_FRONT = """
client_max_body_size 2m;
location / {
    proxy_pass http://UPSTREAM;
    proxy_cache pieces;
    proxy_cache_lock on;
    proxy_cache_lock_timeout 100ms;
}
"""
SQUID_FRONT = """
http_port 127.0.0.1:PORT accel defaultsite=pieces no-vhost
cache_peer 127.0.0.1 parent UPSTREAM_PORT 0 no-query originserver login=PASSTHRU
maximum_object_size 2 MB
maximum_object_size_in_memory 2 MB
collapsed_forwarding on
acl claims urlpath_regex \\.claim$
cache deny claims
http_access allow all
"""
#: without the rule, varnish keeps no answer to a request with a token
VARNISH_FRONT = """
vcl 4.1;
backend default { .host = "127.0.0.1"; .port = "UPSTREAM_PORT"; }
sub vcl_recv {
    if (req.url !~ "\\.claim$" && (req.method == "GET" || req.method == "HEAD")) { return (hash); }
}
"""
CADDY_STATIC = """
root * FOLDER
file_server
"""


#: what a person sets in the environment for a store of their own, besides AWS_ENDPOINT
S3_USER = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "SECRETEXAMPLE",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


def needs(program: str) -> str:
    """The path of a program: of the environment of the tests, or of the system; skips where it is not installed.

    Debian's servers are not in everybody's PATH.
    """
    found = shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


@contextmanager
def nginx(lines: str, *, folder: Path | None = None, upstream: str = "") -> Iterator[str]:
    """The address of nginx with these lines in its `server` block."""
    program = needs("nginx")
    with _own_folder() as own:
        port = free_port()
        places = "".join(f"{kind}_temp_path {own};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        lines = lines.replace("FOLDER", str(folder)).replace("UPSTREAM", upstream.removeprefix("http://"))
        (own / "nginx.conf").write_text(
            f"daemon off; pid {own}/pid; error_log stderr error; {'user root;' if os.geteuid() == 0 else ''}\n"
            f"events {{ }}\nhttp {{ access_log off; {places}\n"
            f"proxy_cache_path {own}/cache keys_zone=pieces:10m max_size=1g inactive=365d use_temp_path=off;\n"
            f"server {{ listen 127.0.0.1:{port}; {lines} }} }}\n"
        )
        with running([program, "-p", str(own), "-c", f"{own}/nginx.conf"], own, port):
            yield f"http://127.0.0.1:{port}"


@contextmanager
def squid(*, upstream: str) -> Iterator[str]:
    """The address of squid in front of a web server."""
    program = needs("squid")
    with _own_folder("proxy") as own:
        port = free_port()
        lines = SQUID_FRONT.replace("UPSTREAM_PORT", upstream.rpartition(":")[2]).replace("PORT", str(port), 1)
        (own / "squid.conf").write_text(
            f"{lines}\ncache_mem 64 MB\naccess_log none\ncache_log {own}/log\npid_filename {own}/pid\n"
            f"coredump_dir {own}\nvisible_hostname pieces\npinger_enable off\nshutdown_lifetime 1 seconds\n"
            f"netdb_filename none\n{'cache_effective_user proxy' if os.geteuid() == 0 else ''}\n"
        )
        # the name is that of its shared memory: another squid may run here
        with running([program, "-n", f"coursefs{port}", "-N", "-f", f"{own}/squid.conf"], own, port):
            yield f"http://127.0.0.1:{port}"


@contextmanager
def varnish(*, upstream: str) -> Iterator[str]:
    """The address of varnish in front of a web server."""
    program = needs("varnishd")
    with _own_folder() as own:
        port = free_port()
        (own / "pieces.vcl").write_text(VARNISH_FRONT.replace("UPSTREAM_PORT", upstream.rpartition(":")[2]))
        where = ["-n", f"{own}/state", "-a", f"127.0.0.1:{port}", "-f", f"{own}/pieces.vcl"]
        with running([program, "-F", "-j", "none", *where, "-s", "malloc,64m"], own, port):
            yield f"http://127.0.0.1:{port}"


@contextmanager
def caddy(*, folder: Path) -> Iterator[str]:
    """The address of Caddy over a folder."""
    program = needs("caddy")
    with _own_folder() as own:
        port = free_port()
        lines = CADDY_STATIC.replace("FOLDER", str(folder))
        (own / "Caddyfile").write_text(f"{{\nadmin off\n}}\nhttp://127.0.0.1:{port} {{\n{lines}\n}}\n")
        with running([program, "run", "--config", f"{own}/Caddyfile"], own, port, {"HOME": str(own)}):
            yield f"http://127.0.0.1:{port}"


@contextmanager
def running(
    command: list[str], own: Path, port: int, environ: Mapping[str, str] | None = None, patience: float = 10.0
) -> Iterator[None]:
    """A server that listens on a port of this machine, until the context ends; killed after so many seconds."""
    with (own / "said").open("wb") as said:
        child = subprocess.Popen(command, cwd=own, stdout=said, stderr=said, env={**os.environ, **(environ or {})})
    try:
        until(lambda: child.poll() is not None or _listens(port), f"{command[0]} listens")
        assert child.poll() is None, (own / "said").read_text(errors="replace")[-3000:]
        yield
    finally:
        child.terminate()
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def _own_folder(user: str | None = None) -> Iterator[Path]:
    """A folder for a server, which may run as a user of its own: those of tests are for one user alone."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        if user is not None and os.geteuid() == 0:
            shutil.chown(name, user)
        yield Path(name)


@contextmanager
def weed() -> Iterator[str]:
    """The address of the S3 server of SeaweedFS, with a bucket `pieces` for the user of `S3_USER`."""
    program = needs("weed")
    lock = Path(tempfile.gettempdir(), f"coursefs-weed-{os.geteuid()}.lock")
    with lock.open("w") as one_at_a_time, _own_folder() as own:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)  # a second one on the same machine does not start
        actions = ["Read", "Write", "List"]
        keys = {"accessKey": S3_USER["AWS_ACCESS_KEY_ID"], "secretKey": S3_USER["AWS_SECRET_ACCESS_KEY"]}
        users = {"identities": [{"name": "lab", "credentials": [keys], "actions": actions}]}
        (own / "s3.json").write_text(json.dumps(users))
        ports = {
            f"{part}.port{kind}": free_port() for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")
        }
        options = [f"-{name}={port}" for name, port in ports.items()]
        options += [f"-dir={own}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.config={own}/s3.json"]
        options += ["-master.volumeSizeLimitMB=64", "-volume.max=5", "-s3.port.iceberg=0"]
        try:
            with running([program, "-logtostderr=true", "server", *options], own, ports["s3.port"], patience=0.1):
                filer = f"http://127.0.0.1:{ports['filer.port']}/buckets/"
                until(lambda: _has_bucket(filer), "there is a bucket")
                yield f"http://127.0.0.1:{ports['s3.port']}"
        finally:
            for port in ports.values():
                for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                    left.unlink()


@contextmanager
def rclone() -> Iterator[str]:
    """The address of `rclone serve s3`, with a bucket `pieces` for the user of `S3_USER`."""
    program = needs("rclone")
    with _own_folder() as own:
        (own / "served" / "pieces").mkdir(parents=True)
        port = free_port()
        user = f"{S3_USER['AWS_ACCESS_KEY_ID']},{S3_USER['AWS_SECRET_ACCESS_KEY']}"
        helped = subprocess.run([program, "serve", "s3", "--help"], capture_output=True, check=False)
        if helped.returncode or b"--auth-key" not in helped.stdout:
            pytest.skip("this rclone has no S3 server (from 1.65 on)")
        command = [program, "serve", "s3", "--auth-key", user, "--addr", f"127.0.0.1:{port}", f"{own}/served"]
        with running(command, own, port, {"RCLONE_CONFIG": f"{own}/rclone.conf"}):
            yield f"http://127.0.0.1:{port}"


def _has_bucket(filer: str) -> bool:
    """Create the bucket, as a folder of SeaweedFS; it takes a while until there is a place for it."""
    with suppress(httpx.HTTPError):
        return httpx.post(f"{filer}pieces/").is_success
    return False
