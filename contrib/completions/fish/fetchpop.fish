# SPDX-License-Identifier: ISC
# fish completion for fetchpop

# The value that one of these options has on the line so far
function __fetchpop_option
    set -l words (commandline -opc)
    for i in (seq (count $words))
        set -l parts (string split -m 1 = -- $words[$i])
        contains -- $parts[1] $argv; or continue
        if set -q parts[2]
            echo $parts[2]
        else
            echo $words[(math $i + 1)]
        end
    end
end

function __fetchpop_accounts
    set -l file (__fetchpop_option -f --config --rcfile) $FETCHPOPRC $HOME/.fetchpoprc
    set file (string replace -r '^~/' $HOME/ -- $file[1])
    test -r $file; or set file (set -q XDG_CONFIG_HOME; and echo $XDG_CONFIG_HOME; or echo $HOME/.config)/fetchpop/fetchpoprc
    test -r $file; or return
    # what is included may be a pattern, which sh makes names of
    for included in (string match -rg '^\s*include\s*\(\s*["\']([^"\']*)' <$file)
        set included (string replace -r '^~/' $HOME/ -- $included)
        string match -q '/*' -- $included; or set included (path dirname $file)/$included
        set -a file (sh -c 'IFS=; printf "%s\n" $1' sh $included)
    end
    for one in $file
        test -r $one; and string match -rg '^\s*account(?:\s*["\']|\s+)([^"\'{]*[^"\'{\s])' <$one
    end
end

# Messages that failed or are held; --status asks no server
function __fetchpop_uidls
    set -l where
    set -l file (__fetchpop_option -f --config --rcfile)
    set -l state (__fetchpop_option --state-dir)
    set -q file[1]; and set where -f (string replace -r '^~/' $HOME/ -- $file[1])
    set -q state[1]; and set -a where --state-dir (string replace -r '^~/' $HOME/ -- $state[1])
    fetchpop $where -s --status 2>/dev/null </dev/null | string match -rg '^.*: [a-z]*: UIDL (\S*), first seen '
end

complete -c fetchpop -f -a '(__fetchpop_accounts)'
complete -c fetchpop -s a -l all -d 'Also fetch what earlier runs fetched'
complete -c fetchpop -s B -l fetchlimit -x -d 'Fetch at most this many messages'
complete -c fetchpop -s c -l check -d 'Look for new mail, change nothing'
complete -c fetchpop -s d -l daemon -x -d 'Poll again and again'
complete -c fetchpop -l discover -x -d 'Look up the server for an address'
complete -c fetchpop -l dry-run -d 'Show what would be done, change nothing'
complete -c fetchpop -s F -l flush -d 'Also delete what earlier runs kept'
complete -c fetchpop -s f -l config -r -F -d 'Configuration file'
complete -c fetchpop -l force -d 'Poll now, ignoring pauses after failures'
complete -c fetchpop -s h -l help -d 'Summary of options'
complete -c fetchpop -s j -l jobs -x -d 'Accounts polled in parallel'
complete -c fetchpop -l json -d 'Print results as JSON lines'
complete -c fetchpop -l json=messages -d 'Also print a JSON line for each message'
complete -c fetchpop -s k -l keep -d 'Delete nothing from the server'
complete -c fetchpop -s K -l nokeep -d 'Delete what this run fetches'
complete -c fetchpop -s l -l limit -x -d 'Leave larger messages on the server'
complete -c fetchpop -s L -l logfile -r -F -d 'Append messages to this log file'
complete -c fetchpop -s m -l mda -x -a '(__fish_complete_command)' -d 'Deliver to a command'
complete -c fetchpop -l no-fork -d 'Poll in a single process'
complete -c fetchpop -l accept-pin -d 'Poll, and trust the key that the server has now (tofu)'
complete -c fetchpop -l print-pin -d 'Show the pin of the public key of a server'
complete -c fetchpop -l retry -x -a 'all (__fetchpop_uidls)' -d 'Release a held message'
complete -c fetchpop -l rename -x -d 'Give the journal of another name to the account'
complete -c fetchpop -l shard -x -d 'Poll only this part of all accounts, such as 0/8'
complete -c fetchpop -l doctor -d 'Check each step to the mail'
complete -c fetchpop -l list -d 'List what is on the server'
complete -c fetchpop -l show -x -a '(__fetchpop_uidls)' -d 'Print a message on the server'
complete -c fetchpop -l fetch -x -a '(__fetchpop_uidls)' -d 'Fetch this message alone'
complete -c fetchpop -l delete -x -a '(__fetchpop_uidls)' -d 'Delete this message from the server'
complete -c fetchpop -l yes -d 'Answer the question of --delete'
complete -c fetchpop -l summary -d 'A line for each account, also in a pipe'
complete -c fetchpop -s s -l silent -d 'No progress, no summary'
complete -c fetchpop -l state-dir -r -a '(__fish_complete_directories)' -d 'Folder for the journals'
complete -c fetchpop -l status -d 'List what failed, is held or is paused'
complete -c fetchpop -l syslog -d 'Log to syslog'
complete -c fetchpop -s t -l timeout -x -d 'Give up on a silent server after this time'
complete -c fetchpop -s V -l version -d 'Print the version'
complete -c fetchpop -s v -l verbose -d 'Print the conversation'
complete -c fetchpop -l import -x -a 'fetchmail mpop getmail fdm' -d 'Print the configuration of another fetcher'
complete -c fetchpop -l import-seen -x -a 'fetchmail mpop getmail fdm uidl' -d 'Take over the list of another fetcher'
complete -c fetchpop -l catch-up -d 'Mark what is on the server as fetched'
complete -c fetchpop -l since -x -d 'With --catch-up: but for mail of this day and later'
complete -c fetchpop -l newest -x -d 'With --catch-up: but for so many messages'
complete -c fetchpop -l maildir -r -F -d 'With a URL: deliver to this Maildir'
complete -c fetchpop -l mbox -r -F -d 'With a URL: deliver to this mbox'
complete -c fetchpop -l password-command -x -d 'With a URL: it prints the password'
complete -c fetchpop -l setup -d 'Ask what is needed, and write the configuration file'
complete -c fetchpop -l check-config -d 'Say what is wrong with the configuration file'
complete -c fetchpop -l print-config -d 'Print what the configuration file means, key by key'
complete -c fetchpop -l export-state -d 'Print what is known of the messages of an account'
complete -c fetchpop -l import-state -d 'Take that in from standard input'
