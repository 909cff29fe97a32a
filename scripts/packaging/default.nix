# For Nix: packs the self-contained folder of a release.
# Tried with nix of Debian 13 and a stand-in for nixpkgs (scripts/packaging/try-recipes); UNTRIED on NixOS itself.
#   nix-build --arg release ./dist/coursefs-0.2.0-x86_64.tar.xz scripts/packaging
{ release, pkgs ? import <nixpkgs> { } }:

pkgs.stdenv.mkDerivation {
  pname = "coursefs";
  version = "0.2.0";
  src = release;
  nativeBuildInputs = [ pkgs.autoPatchelfHook ];
  dontStrip = true; # nothing is left to strip, and some libraries would not survive it
  installPhase = ''
    mkdir -p $out/lib $out/bin
    cp -a . $out/lib/coursefs
    ln -s ../lib/coursefs/coursefs ../lib/coursefs/mount.fuse.coursefs $out/bin/
    ln -s lib/coursefs/share $out/share
  '';
  meta = {
    description = "Courses of Coursera, Panopto and Open edX as a folder";
    license = pkgs.lib.licenses.mit;
    platforms = [ "x86_64-linux" ];
    mainProgram = "coursefs"; # it finds fusermount3 in PATH: programs.fuse, or /run/wrappers/bin
  };
}
