" SPDX-License-Identifier: ISC
autocmd BufNewFile,BufRead .fetchpoprc,fetchpoprc,fetchpoprc.sample setfiletype fetchpoprc
