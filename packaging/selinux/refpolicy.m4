dnl The few words of the reference policy's language in which pam_twofactor is written, as checkmodule understands
dnl them. So the module is compiled without any distribution's policy headers, and what comes out fits all of them; the
dnl sources also compile with the headers' own Makefile.
define(`policy_module',`module $1 $2;')dnl
define(`gen_require',`require {$1}')dnl
define(`optional_policy',`optional {$1}')dnl
define(`interface',`define(`$1',`$2')')dnl
define(`gen_context',`$1`:'$2')dnl
