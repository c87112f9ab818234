using System.Text;
using System.Text.Json;
using Vks.Spherelet.Nri.Wire;
using Vks.Spherelet.Pods;

namespace Vks.Spherelet.Nri;

/// <summary>A seccomp policy in NRI's words as the <c>linux.seccomp</c> object of the OCI runtime spec. Pure.</summary>
internal static class SeccompWriter
{
    /// <summary>The object's JSON.</summary>
    /// <exception cref="PodException"><see cref="PodFault.InvalidConfig"/>: it wants somebody on the host to decide.</exception>
    public static string Write(LinuxSeccomp policy)
    {
        if (policy.ListenerPath.Length > 0)
        {
            throw new PodException(
                PodFault.InvalidConfig, policy.ListenerPath, $"seccomp listener '{policy.ListenerPath}' is a socket of the host, which a guest cannot reach.");
        }

        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text))
        {
            json.WriteStartObject();
            json.WriteString("defaultAction", policy.DefaultAction);
            if (policy.DefaultErrno is { } errno)
            {
                json.WriteNumber("defaultErrnoRet", errno.Value);
            }

            WriteTexts(json, "architectures", policy.Architectures);
            WriteTexts(json, "flags", policy.Flags);
            json.WriteStartArray("syscalls");
            foreach (LinuxSyscall rule in policy.Syscalls)
            {
                Write(json, rule);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.ToArray());
    }

    private static void Write(Utf8JsonWriter json, LinuxSyscall rule)
    {
        json.WriteStartObject();
        WriteTexts(json, "names", rule.Names);
        json.WriteString("action", rule.Action);
        if (rule.ErrnoRet is { } errno)
        {
            json.WriteNumber("errnoRet", errno.Value);
        }

        json.WriteStartArray("args");
        foreach (LinuxSeccompArg argument in rule.Args)
        {
            json.WriteStartObject();
            json.WriteNumber("index", argument.Index);
            json.WriteNumber("value", argument.Value);
            json.WriteNumber("valueTwo", argument.ValueTwo);
            json.WriteString("op", argument.Op);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteTexts(Utf8JsonWriter json, string name, IReadOnlyCollection<string> texts)
    {
        json.WriteStartArray(name);
        foreach (string text in texts)
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }
}
