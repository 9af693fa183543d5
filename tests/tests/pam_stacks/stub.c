/*
 * A PAM module that does what the file /run/twofactor-tests/stubs/NAME says, NAME being its own file's name. A line there is
 * "auth WORD" or "account WORD"; WORD is success, ignore, auth_err or user_unknown, or, for auth, "password TEXT": it
 * asks like pam_unix and accepts TEXT. Without a line it ignores. For modules that this host does not have, or that would
 * answer for root, as whom the tests run.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <security/pam_ext.h>
#include <security/pam_modules.h>

static int code_of(const char *word)
{
    if (strcmp(word, "success") == 0)
        return PAM_SUCCESS;
    if (strcmp(word, "auth_err") == 0)
        return PAM_AUTH_ERR;
    if (strcmp(word, "user_unknown") == 0)
        return PAM_USER_UNKNOWN;
    return PAM_IGNORE;
}

/* What the file says of a phase, without the newline; empty when it says nothing. */
static void said_of(const char *phase, char *said, size_t size)
{
    Dl_info library;
    char path[512], line[512];
    size_t length = strlen(phase);

    said[0] = '\0';
    if (dladdr((void *)said_of, &library) == 0)
        return;
    const char *name = strrchr(library.dli_fname, '/');
    snprintf(path, sizeof(path), "/run/twofactor-tests/stubs%s", name != NULL ? name : "/");
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    while (fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, phase, length) == 0 && line[length] == ' ')
            snprintf(said, size, "%s", line + length + 1);
    }
    fclose(file);
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    char said[512];
    const char *typed = NULL;

    (void)flags, (void)argc, (void)argv;
    said_of("auth", said, sizeof(said));
    if (strncmp(said, "password ", 9) != 0)
        return code_of(said);
    if (pam_get_authtok(pamh, PAM_AUTHTOK, &typed, NULL) != PAM_SUCCESS || typed == NULL)
        return PAM_AUTH_ERR;
    return strcmp(typed, said + 9) == 0 ? PAM_SUCCESS : PAM_AUTH_ERR;
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}

int pam_sm_acct_mgmt(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    char said[512];

    (void)pamh, (void)flags, (void)argc, (void)argv;
    said_of("account", said, sizeof(said));
    return code_of(said);
}
