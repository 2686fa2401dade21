"""docker build with the runtime as the default: every RUN is a container."""

import pytest

DOCKERFILE = """
FROM box AS maker
WORKDIR /src
COPY hello.sh Makefile ./
RUN make && ./hello > result && cat result
RUN ["/bin/bash", "-c", "test $(cat result) = hello-from-make"]

FROM box
ARG WHO=nobody
ENV WHO=$WHO
COPY --from=maker /src/result /result
RUN useradd -m -u 2222 builder && mkdir /own && chown builder /own
USER builder
WORKDIR /own
RUN id -u > made-by && umask > mask && echo "$WHO" > who
VOLUME /state
EXPOSE 80
HEALTHCHECK CMD true
ENTRYPOINT ["/bin/bash", "-c"]
CMD ["cat /result made-by who"]
"""
MAKEFILE = """hello: hello.sh
\tcp $< $@ && chmod 755 $@
"""
PACKAGE = """
FROM box
COPY repository /repository
RUN mkdir -p /var/cache/apt/archives/partial && rm -f /etc/apt/sources.list /etc/apt/sources.list.d/* && \\
    echo 'deb [trusted=yes] file:/repository ./' > /etc/apt/sources.list && \\
    apt-get update && apt-get install -y greets && apt-get clean
CMD ["greets"]
"""


@pytest.fixture
def context(docker):
    directory = docker.cell.state / "context"
    directory.mkdir(exist_ok=True)
    yield directory
    docker("rmi", "-f", "built", check=False)


def build(docker, directory, *options):
    return docker("build", "--no-cache", "--network", "none", *options, "-t", "built", directory,
                  env={"DOCKER_BUILDKIT": "0"}, timeout=200)


def test_build(docker, context):
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / "Makefile").write_text(MAKEFILE)
    (context / "hello.sh").write_text("#!/bin/sh\necho hello-from-make\n")
    build(docker, context, "--build-arg", "WHO=me")
    assert str(docker("run", "--rm", "built")) == "hello-from-make\n2222\nme"
    assert str(docker("run", "--rm", "built", "stat -c %U /own/who; pwd")) == "builder\n/own"


def test_failed_build(docker, context):
    (context / "Dockerfile").write_text("FROM box\nRUN echo trying && exit 7\n")
    output = docker("build", "--force-rm", "--network", "none", context, env={"DOCKER_BUILDKIT": "0"},
                    check=False)
    assert output.status == 7 and "returned a non-zero code: 7" in output.stderr


def test_apt_get(docker, context):
    """apt-get install in a build, from a repository in the context."""
    repository = context / "repository"
    (repository / "greets" / "DEBIAN").mkdir(parents=True)
    (repository / "greets" / "usr" / "bin").mkdir(parents=True)
    (repository / "greets" / "DEBIAN" / "control").write_text(
        "Package: greets\nVersion: 1.0\nArchitecture: all\nMaintainer: T <t@example.org>\n"
        "Description: greets\n")
    postinst = repository / "greets" / "DEBIAN" / "postinst"
    postinst.write_text("#!/bin/sh\nset -e\necho configured > /var/lib/greets\n")
    postinst.chmod(0o755)
    program = repository / "greets" / "usr" / "bin" / "greets"
    program.write_text("#!/bin/sh\necho greetings; cat /var/lib/greets\n")
    program.chmod(0o755)
    docker.cell.run("/bin/bash", "-c", f"""set -e; cd {repository}
        dpkg-deb --root-owner-group --build greets greets.deb; rm -r greets
        {{ dpkg-deb -f greets.deb; echo Filename: ./greets.deb; echo Size: $(stat -c %s greets.deb)
        echo SHA256: $(sha256sum < greets.deb | cut -d' ' -f1); }} > Packages""")
    (context / "Dockerfile").write_text(PACKAGE)
    build(docker, context)
    assert str(docker("run", "--rm", "built")) == "greetings\nconfigured"
