using System.Text.RegularExpressions;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Cri;

/// <summary>AppArmor and SELinux: the guest's kernel has neither, so what asks for none or the usual is fine and what names a profile is not.</summary>
internal static partial class SecurityModules
{
    /// <summary>Checks both fields of a container. A privileged container gets no profile, whatever it names.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>, naming the field.</exception>
    public static void Check(V1.LinuxContainerSecurityContext security)
    {
        Check(security.SelinuxOptions);
        if (security.Privileged)
        {
            return;
        }

        if (security.Apparmor is { } profile)
        {
            Check(profile);
            return;
        }

#pragma warning disable CS0612 // deprecated in CRI, still sent
        string name = security.ApparmorProfile;
#pragma warning restore CS0612
        if (name is not ("" or "unconfined" or "runtime/default"))
        {
            throw NoProfiles("apparmor_profile", name);
        }
    }

    /// <summary>Checks the AppArmor field of a pod.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>.</exception>
    public static void Check(V1.SecurityProfile? profile)
    {
        switch (profile?.ProfileType)
        {
            case null or V1.SecurityProfile.Types.ProfileType.RuntimeDefault or V1.SecurityProfile.Types.ProfileType.Unconfined:
                return;
            case V1.SecurityProfile.Types.ProfileType.Localhost:
                throw NoProfiles("apparmor", profile.LocalhostRef);
            default:
                throw new PodException(PodFault.InvalidConfig, "apparmor", $"apparmor.profile_type is {(int)profile.ProfileType}, which is no known type.");
        }
    }

    /// <summary>Checks a label. A good one has no effect; a level that is none is refused as where SELinux is on.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>.</exception>
    public static void Check(V1.SELinuxOption? label)
    {
        if (label is { Level.Length: > 0 } && !Level().IsMatch(label.Level))
        {
            throw new PodException(
                PodFault.InvalidConfig, "selinux_options", $"selinux_options.level is '{label.Level}'; a level is as s0, s0-s1 or s0:c1,c2.");
        }
    }

    private static PodException NoProfiles(string field, string name) => new(
        PodFault.InvalidConfig,
        field,
        $"{field} names the profile '{name}'; the machine's kernel has no AppArmor, so only runtime/default and unconfined can be.");

    [GeneratedRegex(@"^s\d+(-s\d+)?(:c\d+([.,]c\d+)*)?$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Level();
}
