# SPDX-License-Identifier: ISC
"""What providers say, word for word, for tests that want it in a table: (name, text behind -ERR)."""

# POP is switched off in the mailbox's settings: at PASS or AUTH, or at the first command after it
POP_IS_OFF = [
    ("Gmail with a code", "[SYS/PERM] Your account is not enabled for POP access. Please visit your "
     "Gmail settings page and enable your account for POP access."),
    ("Gmail without a code", "Your account is not enabled for POP access. Please visit your Gmail "
     "settings page and enable your account for POP access."),
    ("Yandex with a code", "[AUTH] login failure or POP3 disabled, try later. sc=Qk2aXWd0h0U1"),
    ("Yandex without a code", "login failure or POP3 disabled, try later. sc=Qk2aXWd0h0U1"),
    ("Yahoo with a code", "[AUTH] POP access is disabled for this account (#MBR1240)"),
    ("Yahoo without a code", "Access to this service is not allowed: POP access is not enabled"),
    ("Outlook", "POP is disabled for this mailbox; go to Settings to enable POP access"),
    ("Outlook with a code", "[SYS/PERM] POP3 access is disabled for user"),
    ("QQ", "Login fail. POP3 service is not enabled. Please see "
     "http://service.mail.qq.com/cgi-bin/help?id=28"),
    ("QQ with a code", "[AUTH] Login fail. A secure connection or authorization code is needed; "
     "POP3 service is not open"),
    ("163", "[AUTH] user has no permission: POP3 service is closed"),
    ("163 in UTF-8", "您没有权限使用pop3功能 POP3 is not enabled".encode().decode("latin-1")),
]

# the server's store is away, or it is in haste: the session's trouble, not a message's
NOT_NOW = [
    ("a code for it", "[SYS/TEMP] mailbox store is being moved"),
    ("a pause between logins", "[LOGIN-DELAY] not so soon"),
    ("words of haste", "Too many requests, try again later"),
    ("a store that is away", "cannot read mailbox: Input/output error"),
    ("a cap on downloads", "Download exceed. msg=100"),
]

# a refusal in Chinese, "logged in too often": as UTF-8, and as GBK
TOO_OFTEN = "登录过于频繁"
