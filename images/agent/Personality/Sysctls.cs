using Vks.Agent.Channel;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Agent.Personality;

/// <summary>Kernel parameters below /proc/sys.</summary>
internal static class Sysctls
{
    /// <summary>Writes each parameter. The guest's kernel is the pod's own, so there is none that belongs to somebody else.</summary>
    /// <exception cref="AgentException">InvalidRequest: the kernel has no such parameter, or not that value.</exception>
    internal static void Write(IReadOnlyDictionary<string, string> values)
    {
        foreach ((string name, string value) in values)
        {
            string path = PathOf(name);
            if (!File.Exists(path))
            {
                throw new AgentException(GuestFault.InvalidRequest, $"The guest's kernel has no parameter '{name}' ({path}).");
            }

            try
            {
                File.WriteAllText(path, value);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                throw new AgentException(GuestFault.InvalidRequest, $"Setting the kernel parameter {name} to '{value}': {exception.Message}", exception);
            }
        }
    }

    /// <summary>
    /// The file of a name. The first separator decides, as sysctl(8) does: in <c>net.ipv4.conf.eth0/1.x</c> dots separate and a slash
    /// stands for a dot.
    /// </summary>
    internal static string PathOf(string name)
    {
        int first = name.AsSpan().IndexOfAny('.', '/');
        string path = first >= 0 && name[first] == '.'
            ? string.Create(name.Length, name, static (span, text) =>
            {
                for (var i = 0; i < text.Length; i++)
                {
                    span[i] = text[i] switch { '.' => '/', '/' => '.', char other => other };
                }
            })
            : name;
        foreach (string part in path.Split('/'))
        {
            if (part is "" or "." or "..")
            {
                throw new AgentException(GuestFault.InvalidRequest, $"'{name}' is no name of a kernel parameter.");
            }
        }

        return "/proc/sys/" + path;
    }
}
