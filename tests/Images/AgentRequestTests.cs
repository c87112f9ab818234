using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using CsCheck;
using Vks.Agent.Channel;
using Vks.Agent.Containers;
using Vks.Agent.Network;
using Vks.Runtime.Guest.Protocol;

namespace Vks.Tests.Images;

/// <summary>A request that the host should not have sent is told so; it never becomes a fault inside of the agent.</summary>
public sealed class AgentRequestTests
{
    /// <summary>One whole request of each record that a method takes.</summary>
    private static readonly (JsonTypeInfo Type, string Text)[] s_requests =
    [
        (GuestJson.Default.Empty, "{}"),
        (GuestJson.Default.ContainerReference, """{"containerId":"c"}"""),
        (GuestJson.Default.SignalRequest, """{"containerId":"c","signal":9,"all":true}"""),
        (GuestJson.Default.OutputRequest, """{"containerId":"c","outputOffset":1,"errorOffset":2}"""),
        (GuestJson.Default.ResizeRequest, """{"containerId":"c","execId":"e","columns":80,"rows":25}"""),
        (GuestJson.Default.ExecSpec, """{"containerId":"c","execId":"e","args":["sh"],"terminal":true,"stdin":true,"timeoutMilliseconds":5}"""),
        (GuestJson.Default.UpdateRequest, """{"containerId":"c","resources":{"cpuShares":1,"cpusetCpus":"0","memoryBytes":1,"unified":{"a":"b"}}}"""),
        (GuestJson.Default.GuestClockChange, """{"nanoseconds":5,"slowly":true}"""),
        (GuestJson.Default.DialRequest, """{"host":"h","port":80}"""),
        (GuestJson.Default.GuestPersonality, """
            {"hostname":"pod","wallClockUnixNanoseconds":1,"entropy":"AAAA","machineId":"m","interfaces":[{"name":"eth0","mac":"02:00:00:00:00:01","mtu":1500,"addresses":["10.0.0.2/8"]}],
            "routes":[{"destination":"0.0.0.0/0","gateway":"10.0.0.1","interface":"eth0","mtu":0}],"resolvConf":"","hosts":"","sysctls":{"a":"b"},"scratchDisk":"s","shareTag":"t","shmBytes":1}
            """),
        (GuestJson.Default.ContainerSpec, """
            {"containerId":"c","imageDisk":"d","process":{"args":["sh"],"env":["A=b"],"workingDirectory":"/","user":"u","supplementalGroups":[1],"capabilities":["CAP_KILL"],
            "ambientCapabilities":[],"rlimits":[{"type":"RLIMIT_CPU","soft":1,"hard":2}]},"mounts":[{"kind":4,"source":"/a","destination":"/b","options":["ro"],"subPath":""}],
            "maskedPaths":["/p"],"readOnlyPaths":["/q"],"pidTarget":"","resources":{"unified":{}},"seccompJson":"{}","annotations":{"a":"b"}}
            """),
    ];

    private static readonly GuestHardware s_hardware = new(new HashSet<int> { 0 }, new HashSet<string>());

    [Fact]
    public void A_container_that_omits_every_list_is_as_one_with_empty_ones()
    {
        ContainerSpec spec = Accept<ContainerSpec>("""{"containerId":"c","imageDisk":"d","process":{"args":["sh"]}}""");

        OciConfig config = OciConfigWriter.Write(spec, new BundleFacts(new ResolvedUser(0, 0, [], "/"), [], [], null, "/vks/c") { Hardware = s_hardware });

        Assert.Equal("/", config.Process.Cwd);
        Assert.Empty(spec.Mounts);
        Assert.Empty(spec.Resources.Unified);
        Assert.Equal("", spec.Process.User);
    }

    [Fact]
    public void A_list_that_is_null_is_an_empty_one() =>
        Assert.Empty(Accept<ContainerSpec>("""{"containerId":"c","imageDisk":"d","process":{"args":["sh"],"env":null},"mounts":null}""").Process.Env);

    [Fact]
    public void A_personality_that_omits_every_list_has_empty_ones()
    {
        GuestPersonality personality = Accept<GuestPersonality>("""{"hostname":"pod","wallClockUnixNanoseconds":1,"entropy":"AAAA","machineId":"m"}""");

        Assert.Empty(personality.Interfaces);
        Assert.Empty(personality.Routes);
        Assert.Empty(personality.Sysctls);
    }

    [Theory]
    [InlineData(typeof(ContainerReference), "{}", "containerId")]
    [InlineData(typeof(UpdateRequest), """{"containerId":"c"}""", "resources")]
    [InlineData(typeof(ContainerSpec), """{"containerId":"c","imageDisk":"d","process":{"args":["sh",null]}}""", "process.args[1]")]
    [InlineData(typeof(ContainerSpec), """{"containerId":"c","imageDisk":"d","process":null}""", "process")]
    [InlineData(typeof(ContainerSpec), """{"containerId":"c","imageDisk":"d","process":{"args":["sh"],"rlimits":[null]}}""", "process.rlimits[0]")]
    [InlineData(typeof(ContainerSpec), """{"containerId":"c","imageDisk":"d","process":{"args":["sh"]},"annotations":{"a":null}}""", "annotations[0]")]
    [InlineData(typeof(GuestPersonality), """{"hostname":"p","wallClockUnixNanoseconds":1,"entropy":"AAAA","machineId":"m","interfaces":[{"name":"eth0","mac":"m"}]}""", "interfaces[0].addresses")]
    public void What_must_be_there_and_is_not_is_named(Type type, string text, string missing)
    {
        object value = JsonSerializer.Deserialize(text, GuestJson.Default.GetTypeInfo(type)!)!;

        Assert.Equal(missing, RequestShape.Missing(value, GuestJson.Default.GetTypeInfo(type)!));
    }

    [Fact]
    public void Whole_requests_are_accepted() =>
        Assert.All(s_requests, request => Assert.NotNull(Read(request.Type, request.Text)));

    /// <summary>Every member in turn is dropped, made null, or made another kind of value; what is then accepted can be worked with.</summary>
    [Fact]
    public void A_request_with_any_member_changed_is_refused_or_can_be_worked_with()
    {
        string[] replacements = ["", "null", "0", "-1", "\"\"", "[]", "[null]", "{}", "{\"x\":null}", "1e400", "true", "[[]]"];
        var refused = 0;
        foreach ((JsonTypeInfo type, string text) in s_requests)
        {
            for (var at = 0; at < CountPlaces(JsonNode.Parse(text)!); at++)
            {
                foreach (string replacement in replacements)
                {
                    refused += RefusedOrWorkable(type, Change(text, at, replacement)) ? 0 : 1;
                }
            }
        }

        Assert.InRange(refused, 200, 2000);
    }

    [Fact]
    public void Any_text_is_refused_or_can_be_worked_with() =>
        Gen.Select(Gen.Int[0, s_requests.Length - 1], Gen.Int[0, 2000], Gen.Char["\"{}[],:0n\\\0 "], Gen.Int[0, 2])
            .Sample((which, place, letter, how) =>
            {
                (JsonTypeInfo type, string text) = s_requests[which];
                int at = place % text.Length;
                RefusedOrWorkable(type, how switch
                {
                    0 => text[..at] + letter + text[at..],
                    1 => text[..at] + letter + text[(at + 1)..],
                    _ => text[..at],
                });
            });

    private static T Accept<T>(string text) => (T)(Read(GuestJson.Default.GetTypeInfo(typeof(T))!, text) ?? throw new InvalidOperationException($"Refused: {text}"));

    private static bool RefusedOrWorkable(JsonTypeInfo type, string text)
    {
        object? request = Read(type, text);
        try
        {
            switch (request)
            {
                case ContainerSpec spec:
                    ContainerTable.Check(spec);
                    OciConfigWriter.Write(spec, new BundleFacts(new ResolvedUser(0, 0, [], "/"), [], [.. spec.Mounts.Select(mount => mount.Source)], null, "/c") { Hardware = s_hardware });
                    UserResolver.Resolve(spec.Process.User, spec.Process.UserIsName, spec.Process.SupplementalGroups, false, null, null);
                    break;
                case UpdateRequest update:
                    CgroupLimits.Files(update.Resources, s_hardware);
                    break;
                case GuestPersonality personality:
                    foreach (GuestInterface one in personality.Interfaces)
                    {
                        LinkMessages.Change(1, one.Name, one.Mtu, LinkMessages.ParseMac(one.Mac));
                        foreach (string address in one.Addresses)
                        {
                            LinkMessages.Address(1, address);
                        }
                    }

                    foreach (GuestRoute route in personality.Routes)
                    {
                        LinkMessages.Route(route.Destination, route.Gateway, route.Interface.Length, route.Mtu);
                    }

                    break;
                default:
                    break;
            }
        }
        catch (Exception exception) when (exception is AgentException { Fault: GuestFault.InvalidRequest } or FormatException or JsonException)
        {
            // The handlers turn the last two into InvalidRequest.
            return false;
        }

        return request is not null;
    }

    /// <summary>As the method table reads it; null when it is refused as it should be.</summary>
    private static object? Read(JsonTypeInfo type, string text)
    {
        try
        {
            JsonElement body = JsonElement.Parse(text);
            return MethodTable.Read("method", body, type);
        }
        catch (AgentException refusal) when (refusal.Fault == GuestFault.InvalidRequest)
        {
            return null;
        }
        catch (JsonException)
        {
            // The text is no JSON: the session refuses the frame before any method sees it.
            return null;
        }
    }

    private static int CountPlaces(JsonNode node) => node switch
    {
        JsonObject members => members.Sum(member => 1 + (member.Value is null ? 0 : CountPlaces(member.Value))),
        JsonArray elements => elements.Sum(element => 1 + (element is null ? 0 : CountPlaces(element))),
        _ => 0,
    };

    private static string Change(string text, int place, string replacement)
    {
        JsonNode root = JsonNode.Parse(text)!;
        int at = place;
        Visit(root);
        return root.ToJsonString();

        bool Visit(JsonNode node)
        {
            switch (node)
            {
                case JsonObject members:
                    foreach ((string name, JsonNode? below) in members.ToArray())
                    {
                        if (at-- == 0)
                        {
                            members.Remove(name);
                            if (replacement.Length > 0)
                            {
                                members[name] = JsonNode.Parse(replacement);
                            }

                            return true;
                        }

                        if (below is not null && Visit(below))
                        {
                            return true;
                        }
                    }

                    return false;
                case JsonArray elements:
                    for (var index = 0; index < elements.Count; index++)
                    {
                        if (at-- == 0)
                        {
                            elements[index] = replacement.Length > 0 ? JsonNode.Parse(replacement) : null;
                            return true;
                        }

                        if (elements[index] is { } below && Visit(below))
                        {
                            return true;
                        }
                    }

                    return false;
                default:
                    return false;
            }
        }
    }
}
