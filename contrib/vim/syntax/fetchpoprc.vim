" SPDX-License-Identifier: ISC
" Vim syntax for fetchpop's configuration file, fetchpoprc(5).
if exists("b:current_syntax")
  finish
endif

syntax match fetchpopComment "#.*$" contains=@Spell
syntax match fetchpopSection "^\s*\(account\|defaults\|include\|rule\)\>"
syntax match fetchpopKey "^\s*\zs[a-z_0-9]\+\ze\s*="
syntax match fetchpopKey "[{[:space:]]\zs[a-z_0-9]\+\ze\s*="
syntax match fetchpopSecret "\<password\ze\s*="
syntax match fetchpopNumber "\<[0-9]\+[KMGkmgsmhd]\=\>"
syntax keyword fetchpopWord yes no none auto on off any ca pin both implicit stls starttls full user apop fetch leave stub delete
syntax region fetchpopString start=+"+ skip=+\\.+ end=+"+ oneline contains=fetchpopVariable
syntax region fetchpopString start=+'+ skip=+\\.+ end=+'+ oneline
syntax match fetchpopVariable "\${[A-Za-z_0-9]\+\(:-[^}]*\)\=}" contained

highlight default link fetchpopComment Comment
highlight default link fetchpopSection Structure
highlight default link fetchpopKey Identifier
highlight default link fetchpopSecret WarningMsg
highlight default link fetchpopNumber Number
highlight default link fetchpopWord Constant
highlight default link fetchpopString String
highlight default link fetchpopVariable PreProc

let b:current_syntax = "fetchpoprc"
