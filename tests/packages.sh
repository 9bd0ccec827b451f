#!/bin/sh
# SPDX-License-Identifier: ISC
# The packages of contrib/packaging, each built in a minimal Debian and used in another one: debian/ is
# looked at by lintian, installed, tried by its own test and purged; so is the RPM that Debian's rpmbuild
# makes; the Containerfile is built by buildah from such a Debian, so no registry is asked, and where buildah is
# missing (BUILDAH names another program), its lines are run in two such systems; what comes of it is run with the
# user, the variables and the commands that it names. PACKAGES says which of deb, rpm and
# container. `make check-long` runs this. Needs root.
set -u

top=${top_srcdir:-$(dirname "$0")/..}
top=$(cd "$top" && pwd)
. "$top/contrib/lib.sh"
. "$top/tests/roots.sh"

packages=${PACKAGES:-deb rpm container}
for package in $packages; do
    case $package in
    deb | rpm | container) ;;
    *) die "PACKAGES: there is no $package" ;;
    esac
done
here=$(dpkg --print-architecture)
version=$(sed -n 's/^AC_INIT(\[fetchpop\], \[\(.*\)\])/\1/p' "$top/configure.ac")
tarball=/dist/fetchpop-$version.tar.xz

# wanted PACKAGE: it is, and all went well with it
broken=
wanted() {
    case " $broken $packages " in
    *" no-$1 "*) return 1 ;;
    *" $1 "*) return 0 ;;
    esac
    return 1
}

# try PACKAGE NAME COMMAND...: a test point, if it is wanted
try() {
    wanted "$1" || return 0
    package=$1 before=$failed
    shift
    point "$@"
    if [ $failed -gt $before ]; then broken="$broken no-$package"; fi
}

# All roots begin as a copy of this one.
first_base() { make_base "$work/base" "$here"; }
copy_base() { cp -a "$work/base" "$work/$1" && copy_tree "$work/$1/fetchpop"; }

# depends FIELD FILE: the packages that a control file names there, each with its first alternative
depends() {
    sed -n "/^$1:/,/^[^ ]*:/{ s/^$1://; /^[^ ]/d; p; }" "$2" | tr ',' '\n' |
        sed 's/|.*//; s/[([<].*//; s/@//'
}

# --- what both packages are made from ------------------------------------------------------------

builder=$work/builder
make_builder() {
    # shellcheck disable=SC2046
    copy_base builder &&
        add_packages "$builder" autoconf automake build-essential lintian rpm rpmlint util-linux \
            $(depends Build-Depends "$top/contrib/packaging/debian/control") &&
        enter "$builder" sh -ec 'cd /fetchpop && ./autogen.sh && mkdir /dist && cd /dist &&
            /fetchpop/configure --quiet && make -s dist-xz'
}

# user ROOT: a Debian with what the package's own test needs, for whoever installs a package
user() {
    # shellcheck disable=SC2046
    copy_base "$1" && add_packages "$work/$1" $(depends Depends "$top/contrib/packaging/debian/tests/control")
}

# list ROOT NAME: all files outside of /tmp and of what apt, dpkg and rpm write down
list() {
    enter "$work/$1" find / -xdev ! -path '/tmp/*' ! -path '/var/cache/*' ! -path '/var/log/*' \
        ! -path '/var/lib/apt/*' ! -path '/var/lib/dpkg/*' ! -path '*/rpm*' ! -path '*/.rpmdb*' ! -path '/fetchpop/*' |
        sort >"$work/$1.$2"
}
nothing_left() { list "$1" after && diff "$work/$1.before" "$work/$1.after"; }
own_test() { enter "$work/$1" bash -e /fetchpop/contrib/packaging/debian/tests/poll; }
doctor() { enter "$work/$1" sh -c 'fetchpop --doctor pop3s://nobody@localhost' | grep 'sandbox: ok: .*seccomp'; }

# --- Debian --------------------------------------------------------------------------------------

build_deb() {
    enter "$builder" sh -ec 'mkdir /deb && cd /deb && tar xf "$1" &&
        cp -r /fetchpop/contrib/packaging/debian fetchpop-*/ && cd fetchpop-* &&
        dpkg-buildpackage -us -uc -b' sh "$tarball"
}
look_at_deb() {
    enter "$builder" sh -c 'lintian -i --pedantic --allow-root --tag-display-limit 0 \
        --fail-on error,warning,info,pedantic /deb/*.changes'
}
install_deb() {
    user deb && list deb before && cp "$builder"/deb/fetchpop_*.deb "$work/deb/tmp/" &&
        enter "$work/deb" sh -c 'apt-get -qq install -y --no-install-recommends /tmp/fetchpop_*.deb \
            libsasl2-modules && dpkg -V fetchpop' && doctor deb
}
purge_deb() {
    enter "$work/deb" apt-get -qq purge -y --autoremove fetchpop libsasl2-modules && nothing_left deb
}

# --- RPM: what it requires has other names in Debian, so rpm is told not to look; two folders are those of
# packages that each system with RPM has (filesystem and systemd) ----------------------------------

build_rpm() {
    enter "$builder" sh -ec 'mkdir -p /root/rpmbuild/SOURCES && cp "$1" /root/rpmbuild/SOURCES/ &&
        rpmbuild -bb --nodeps /fetchpop/contrib/packaging/fetchpop.spec' sh "$tarball"
}
look_at_rpm() {
    enter "$builder" sh -c 'cd /fetchpop/contrib/packaging && rpmlint --strict -r fetchpop.rpmlintrc \
        fetchpop.spec /root/rpmbuild/RPMS/*/*.rpm'
}
install_rpm() {
    user rpm && add_packages "$work/rpm" rpm libconfuse2 libidn2-0 libidn12 libsasl2-2 libsasl2-modules \
        libseccomp2 libssl3 &&
        mkdir -p "$work/rpm/usr/share/licenses" "$work/rpm/usr/lib/systemd/user" &&
        list rpm before && cp "$builder"/root/rpmbuild/RPMS/*/fetchpop-[0-9]*.rpm "$work/rpm/tmp/" &&
        enter "$work/rpm" sh -c 'rpm --force-debian --nodeps -i /tmp/fetchpop-*.rpm &&
            rpm -V --nodeps fetchpop' && doctor rpm
}
erase_rpm() { enter "$work/rpm" rpm --force-debian -e fetchpop && nothing_left rpm; }

# --- a container ----------------------------------------------------------------------------------

containerfile=$top/contrib/packaging/Containerfile
containers() {
    "$buildah" --root "$work/store" --runroot "$work/store.run" --storage-driver vfs "$@"
}

# image INSTRUCTION: what it says there, as words
image() {
    if [ -z "$buildah" ]; then
        words=$(sed -n "s/^$1 //p" "$containerfile")
        case $1 in
        HEALTHCHECK) echo "${words#* CMD }" ;;
        *) echo "$words" | tr -d '[]",' ;;
        esac
        return
    fi
    case $1 in
    USER) field='{{.OCIv1.Config.User}}' ;;
    ENV) field='{{range .OCIv1.Config.Env}}{{.}} {{end}}' ;;
    ENTRYPOINT) field='{{range .OCIv1.Config.Entrypoint}}{{.}} {{end}}' ;;
    CMD) field='{{range .OCIv1.Config.Cmd}}{{.}} {{end}}' ;;
    HEALTHCHECK) field='{{range .Docker.Config.Healthcheck.Test}}{{.}} {{end}}' ;;
    esac
    containers inspect --type image --format "$field" fetchpop | sed 's/^CMD-SHELL //'
}

# The image that the Containerfile begins with, made here.
make_image() {
    from=$(sed -n 's/^FROM \([^ ]*\).*/\1/p' "$containerfile" | uniq)
    release=${from##*:}
    release=${release%-slim}
    make_base "$work/slim" "$here" && [ -z "$buildah" ] && return
    container=$(containers from scratch) && containers add "$container" "$work/slim" / &&
        containers commit --rm "$container" "$from"
}

# stage NUMBER: its lines, each in one
stage() {
    sed -e ':a' -e '/\\$/{ N; s/\\\n//; ta' -e '}' "$containerfile" | awk -v n="$1" '/^FROM/ { at++ } at == n'
}

# run_stage NUMBER: its lines but for what only an image has, in $work/stage.NUMBER
run_stage() {
    root=$work/stage.$1
    stage "$1" | while read -r instruction words; do
        case $instruction in
        FROM) cp -a "$work/slim" "$root" ;;
        RUN) enter "$root" sh -c "$words" ;;
        COPY)
            from=${words% *} to=${words##* }
            case $from in
            --from=*) mkdir -p "$root${to%/*}" && cp "$work/stage.1${from#* }" "$root$to" ;;
            *) copy_tree "$root$to" ;;
            esac
            ;;
        esac || return
    done
}
build_image() {
    if [ -z "$buildah" ]; then
        run_stage 1 && run_stage 2
        return
    fi
    copy_tree "$work/context" &&
        containers build --isolation chroot --format docker --pull-never -t fetchpop \
            -f "$work/context/contrib/packaging/Containerfile" "$work/context"
}

# contained COMMAND...: as the image's user, with its variables
contained() {
    # shellcheck disable=SC2046
    enter "$inside" setpriv --reuid="$(image USER)" --regid="$(image USER)" --init-groups \
        env $(image ENV) "$@"
}
serve_one_message() {
    mkdir "$work/box" && printf 'Subject: one\r\n\r\nbody\r\n' >"$work/box/1" || return
    python3 "$top/tests/popd/popd" "$work/box" --port-file "$work/port" >"$work/popd.log" 2>&1 </dev/null &
    popd=$!
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s "$work/port" ] && return || sleep 1; done
    return 1
}
configure_image() {
    inside=$work/stage.2
    if [ -n "$buildah" ]; then
        inside=$(containers mount "$(containers from --pull-never fetchpop)") || return
    fi
    cat >"$inside/etc/fetchpop/fetchpoprc" <<END
account "a" {
    server = localhost
    port = $(cat "$work/port")
    tls = none
    user = alice
    password = secret
    auth = user
    maildir = "/mail/a"
}
END
    chown 1000:1000 "$inside/etc/fetchpop/fetchpoprc" && chmod 600 "$inside/etc/fetchpop/fetchpoprc"
}
use_image() {
    serve_one_message && configure_image || return
    # shellcheck disable=SC2046
    contained $(image ENTRYPOINT) &&
        [ "$(cat "$inside"/mail/a/new/* | tail -n 1)" = body ]
    status=$?
    kill "$popd"
    return $status
}
healthy() { contained sh -c "$(image HEALTHCHECK)"; }
# Its server has gone by now.
unhealthy() {
    # shellcheck disable=SC2046
    contained $(image ENTRYPOINT)
    [ $? = 75 ] && ! healthy
}
# It polls, and ends by itself when it is told to.
stay() {
    # shellcheck disable=SC2046
    contained timeout --preserve-status 10 $(image ENTRYPOINT) $(image CMD)
}
confined() {
    for path in /usr/bin/x /etc/fetchpop/x /root/x; do
        ! contained touch "$path" || return
    done
    contained touch /state/x /mail/x
}

# What stands between a runtime and containers is this machine's own business: a skip, with its words.
run_by_runtime() {
    name="a runtime of OCI containers runs it"
    if containers run --isolation oci --network host "$(containers from --pull-never fetchpop)" \
        -- fetchpop -V >"$work/run" 2>&1; then
        point "$name" grep "^fetchpop $version" "$work/run"
    else
        skip_point "$name" "this machine lets it run none: $(grep . "$work/run" | head -n 1)"
    fi
}

if wanted deb || wanted rpm; then point "a bare Debian $release" first_base; fi
if [ $failed = 0 ] && { wanted deb || wanted rpm; }; then
    point "a Debian to build in, and a tarball" make_builder
fi
if [ $failed -gt 0 ]; then broken="no-deb no-rpm"; fi

try deb "the Debian package builds, and its tests pass" build_deb
try deb "lintian has nothing to say about it" look_at_deb
try deb "it installs on a bare Debian" install_deb
try deb "it fetches each message once" own_test deb
try deb "purged, it leaves nothing" purge_deb

try rpm "the RPM package builds, and its tests pass" build_rpm
try rpm "rpmlint has nothing to say about it" look_at_rpm
try rpm "rpm installs it" install_rpm
try rpm "it fetches each message once" own_test rpm
try rpm "erased, it leaves nothing" erase_rpm

buildah=$(command -v "${BUILDAH:-buildah}")
try container "an image to begin with" make_image
try container "the Containerfile builds${buildah:+ with buildah}" build_image
try container "one poll in it fetches the message" use_image
try container "its health check finds it well" healthy
try container "its health check finds it ill when no account can be polled" unhealthy
try container "it stays, and ends when it is told to" stay
try container "its user writes nowhere else" confined
if [ -n "$buildah" ] && wanted container; then run_by_runtime; fi
finish
