/*
 * A pam_debug.so that does not always do what it is told: what the file /run/twofactor-tests/stubs/pam_debug.so says. A line
 * there is "WORD accept": where it is told to return WORD it says so, and returns success; "WORD crash" or "WORD hang".
 * Everything else is as in pam_debug. So libpam ends phases as nobody expects.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <security/pam_ext.h>
#include <security/pam_modules.h>

static const struct { const char *name; int code; } codes[] = {
    { "success", PAM_SUCCESS }, { "ignore", PAM_IGNORE }, { "auth_err", PAM_AUTH_ERR }, { "perm_denied", PAM_PERM_DENIED },
    { "new_authtok_reqd", PAM_NEW_AUTHTOK_REQD }, { "acct_expired", PAM_ACCT_EXPIRED },
    { "module_unknown", PAM_MODULE_UNKNOWN },
};

/* What is to be done instead, or an empty text. */
static void instead_of(const char *word, char *what, size_t size)
{
    char line[128];
    size_t length = strlen(word);
    FILE *file = fopen("/run/twofactor-tests/stubs/pam_debug.so", "re");

    what[0] = '\0';
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, word, length) == 0 && line[length] == ' ')
            snprintf(what, size, "%s", line + length + 1);
    }
    fclose(file);
}

static int told(pam_handle_t *pamh, const char *phase, int argc, const char **argv)
{
    char what[64];
    size_t length = strlen(phase);

    for (int at = 0; at < argc; at++) {
        if (strncmp(argv[at], phase, length) != 0 || argv[at][length] != '=')
            continue;
        const char *word = argv[at] + length + 1;
        pam_info(pamh, "%s", argv[at]);
        instead_of(word, what, sizeof(what));
        if (strcmp(what, "accept") == 0)
            return PAM_SUCCESS;
        if (strcmp(what, "crash") == 0)
            abort();
        while (strcmp(what, "hang") == 0)
            pause();
        for (size_t code = 0; code < sizeof(codes) / sizeof(codes[0]); code++)
            if (strcmp(codes[code].name, word) == 0)
                return codes[code].code;
        return PAM_SYSTEM_ERR;
    }
    return PAM_SUCCESS;
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)flags;
    return told(pamh, "auth", argc, argv);
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)flags;
    return told(pamh, "acct", argc, argv);
}
