/* A PAM module that accepts, and writes to descriptor 9 what it was called with: the phase, and each argument in hexadecimal. */
#include <stdio.h>
#include <string.h>

#include <security/pam_modules.h>

static int called(const char *phase, int argc, const char **argv)
{
    dprintf(9, "%s", phase);
    for (int argument = 0; argument < argc; argument++) {
        dprintf(9, " =");
        for (const char *byte = argv[argument]; *byte != '\0'; byte++)
            dprintf(9, "%02x", (unsigned char)*byte);
    }
    dprintf(9, "\n");
    return PAM_SUCCESS;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags;
    return called("auth", argc, argv);
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags;
    return called("account", argc, argv);
}

int pam_sm_open_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags;
    return called("session", argc, argv);
}

int pam_sm_close_session(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}
