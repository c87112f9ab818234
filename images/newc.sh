# Writes a cpio archive in the kernel's "newc" form to standard output; sourced, not run.
# Written out by hand because device nodes then need no privilege, and because owner,
# time and inode numbers are fixed: the same files give the same bytes.
# (Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel.)

newc_inode=0

# newc_header NAME MODE(octal) SIZE LINKS DEVMAJOR DEVMINOR
newc_header() {
    newc_inode=$((newc_inode + 1))
    #       magic  ino  mode uid  gid  link time size maj  min  rmaj rmin name check
    printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\0' \
        "$newc_inode" $((8#$2)) 0 0 "$4" 0 "$3" 0 0 "$5" "$6" $((${#1} + 1)) 0 "$1"
    newc_pad $((110 + ${#1} + 1))
}

# Both header with name, and content, are filled up to a multiple of four bytes.
newc_pad() {
    case $(($1 % 4)) in 1) printf '\0\0\0' ;; 2) printf '\0\0' ;; 3) printf '\0' ;; esac
}

# newc_dir NAME MODE
newc_dir() { newc_header "$1" "4$(printf '%04d' "$2")" 0 2 0 0; }

# newc_file NAME MODE SOURCE
newc_file() {
    local size; size=$(stat -c %s "$3")
    newc_header "$1" "10$(printf '%04d' "$2")" "$size" 1 0 0
    cat "$3"
    newc_pad "$size"
}

# newc_link NAME TARGET
newc_link() {
    newc_header "$1" 120777 ${#2} 1 0 0
    printf '%s' "$2"
    newc_pad ${#2}
}

# newc_chardev NAME MODE MAJOR MINOR
newc_chardev() { newc_header "$1" "2$(printf '%04d' "$2")" 0 1 "$3" "$4"; }

newc_end() { newc_header 'TRAILER!!!' 0 0 1 0 0; }
