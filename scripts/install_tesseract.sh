#!/bin/sh
# Installs tesseract and its language packs, which read pictures.
# usage: scripts/install_tesseract.sh        (does nothing when they are there; needs root and apt otherwise)
set -eu

languages="eng por spa fra deu ita nld ara osd"
there() { tesseract --list-langs 2>/dev/null; }
missing=""
for language in $languages; do
  there | grep -qx "$language" || missing="$missing tesseract-ocr-$language"
done
if [ -z "$missing" ]; then exit 0; fi

if [ "$(id -u 2>/dev/null)" != 0 ] || ! command -v apt-get >/dev/null; then
  printf 'Pictures cannot be read in every language: install tesseract (Debian: apt-get install tesseract-ocr%s).\n' "$missing" >&2
  exit 1
fi
printf 'Installing tesseract and its languages ...\n' >&2
export DEBIAN_FRONTEND=noninteractive
apt() { timeout 300 apt-get -o Acquire::http::Timeout=20 -o Acquire::Retries=2 "$@"; }
install_them() { apt install -y --no-install-recommends tesseract-ocr $missing; }
{ install_them || { apt update && install_them; }; } >/dev/null 2>&1 || {
  printf 'apt-get could not install tesseract-ocr%s: pictures are read without them.\n' "$missing" >&2
  exit 1
}
