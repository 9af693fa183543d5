/* A module that leaves a mark as soon as it is loaded, and has nothing to say. */
#include <fcntl.h>
#include <unistd.h>

#include <security/pam_modules.h>

__attribute__((constructor)) static void mark(void)
{
    int file = open("/run/twofactor-tests/marks/loaded", O_CREAT | O_WRONLY, 0666);

    if (file >= 0)
        close(file);
}

int pam_sm_authenticate(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags, (void)argc, (void)argv;
    return PAM_IGNORE;
}

int pam_sm_setcred(pam_handle_t *pamh, int flags, int argc, const char **argv)
{
    (void)pamh, (void)flags, (void)argc, (void)argv;
    return PAM_IGNORE;
}
