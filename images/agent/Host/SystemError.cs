using System.Runtime.InteropServices;
using Vks.Agent.Channel;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Host;

/// <summary>Turns errno into the exception the host is told.</summary>
internal static class SystemError
{
    /// <summary>The exception for the errno of the call just made.</summary>
    /// <param name="tried">What was tried, on what, as the start of a sentence.</param>
    internal static AgentException Last(string tried) => From(tried, Marshal.GetLastPInvokeError());

    /// <summary>The exception for an errno.</summary>
    internal static AgentException From(string tried, int errno) =>
        new(
            errno switch
            {
                Constants.NoSpace or Constants.NoMemory or Constants.NoBuffers => GuestFault.ResourceExhausted,
                _ => GuestFault.Failed,
            },
            $"{tried}: {Text(errno)}");

    /// <summary>The kernel's words for an errno, with its number.</summary>
    internal static string Text(int errno) => $"{Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})";
}
