using CliWrap;
using CliWrap.Buffered;
using Google.Protobuf.Reflection;
using Vks.Spherelet.Cri.V1;
using Vks.Tests.Kit;

namespace Vks.Tests.Spherelet;

/// <summary>Our CRI definition against those that Debian ships: all they have, ours has, under the same numbers.</summary>
public sealed class CriDescriptorTests
{
    private const string SignalFact = "enum .runtime.v1.Signal.";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("golang-github-kubernetes-cri-api-dev", "trixie", 25)]
    [InlineData("golang-k8s-cri-api-dev", "sid", 30)]
    public async Task Every_message_field_enum_value_and_call_of_the_reference_is_ours_too(string package, string suite, int leastCalls)
    {
        FileDescriptorSet reference = await FetchAsync(package, suite);
        Definition ours = Definition.Of(OurFiles());
        Definition theirs = Definition.Of(reference.File);

        string[] missing = [.. theirs.Facts.Select(Renewed).Except(ours.Facts).Order(StringComparer.Ordinal)];

        Assert.Empty(missing);
        Assert.True(theirs.Facts.Count(fact => fact.StartsWith("rpc ", StringComparison.Ordinal)) >= leastCalls, "the reference has too few calls to be one");
    }

    [Fact]
    public void The_newest_calls_are_there()
    {
        HashSet<string> facts = Definition.Of(OurFiles()).Facts;

        Assert.Equal(37, facts.Count(fact => fact.StartsWith("rpc .runtime.v1.RuntimeService.", StringComparison.Ordinal)));
        Assert.Equal(6, facts.Count(fact => fact.StartsWith("rpc .runtime.v1.ImageService.", StringComparison.Ordinal)));
        Assert.Contains(facts, fact => fact.StartsWith("rpc .runtime.v1.RuntimeService.StreamPodSandboxes", StringComparison.Ordinal));
    }

    /// <summary>The two facts that newer versions of the API wrote anew, without a change on the wire.</summary>
    private static string Renewed(string fact) => fact switch
    {
        // An environment variable may hold any byte; a string field of old is the same bytes.
        _ when fact.StartsWith("field .runtime.v1.KeyValue.value = 2 ", StringComparison.Ordinal) => fact.Replace(" String ", " Bytes ", StringComparison.Ordinal),

        // Names of enum values are not sent; they got a prefix because they are global in other languages.
        _ when fact.StartsWith(SignalFact, StringComparison.Ordinal) && !fact.StartsWith(SignalFact + "SIGNAL_", StringComparison.Ordinal) =>
            fact.Replace(SignalFact, SignalFact + "SIGNAL_", StringComparison.Ordinal),
        _ => fact,
    };

    /// <summary>The files of both services and all they import.</summary>
    private static Dictionary<string, FileDescriptorProto>.ValueCollection OurFiles()
    {
        var found = new Dictionary<string, FileDescriptorProto>(StringComparer.Ordinal);
        var open = new Stack<FileDescriptor>([RuntimeServiceReflection.Descriptor, ImageServiceReflection.Descriptor]);
        while (open.TryPop(out FileDescriptor? file))
        {
            if (found.TryAdd(file.Name, file.ToProto()))
            {
                foreach (FileDescriptor import in file.Dependencies)
                {
                    open.Push(import);
                }
            }
        }

        return found.Values;
    }

    private static async Task<FileDescriptorSet> FetchAsync(string package, string suite)
    {
        BufferedCommandResult fetch = await Cli.Wrap(RepositoryRoot.Combine("tests", "Kit", "fetch-cri-reference.sh"))
            .WithArguments([package, suite, FindProtoc()])
            .WithValidation(CommandResultValidation.None)
            .ExecuteBufferedAsync(Token);
        Assert.True(fetch.ExitCode == 0, $"{package} of {suite} could not be had: {fetch.StandardError}");
        return FileDescriptorSet.Parser.ParseFrom(await File.ReadAllBytesAsync(fetch.StandardOutput.Trim(), Token));
    }

    /// <summary>The compiler that came with the package that builds our own definition.</summary>
    private static string FindProtoc()
    {
        string packages = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        return Directory.EnumerateDirectories(Path.Combine(packages, "grpc.tools"))
            .Select(version => Path.Combine(version, "tools", "linux_x64", "protoc"))
            .Last(File.Exists);
    }

    /// <summary>A definition as a set of facts, one line each.</summary>
    private sealed record Definition(HashSet<string> Facts)
    {
        public static Definition Of(IEnumerable<FileDescriptorProto> files)
        {
            var facts = new HashSet<string>(StringComparer.Ordinal);
            foreach (FileDescriptorProto file in files)
            {
                string package = "." + file.Package;
                file.MessageType.ToList().ForEach(message => Add(facts, package, message));
                file.EnumType.ToList().ForEach(type => Add(facts, package, type));
                foreach (ServiceDescriptorProto service in file.Service)
                {
                    facts.UnionWith(service.Method.Select(method =>
                        $"rpc {package}.{service.Name}.{method.Name}({method.ClientStreaming} {method.InputType}) -> {method.ServerStreaming} {method.OutputType}"));
                }
            }

            return new Definition(facts);
        }

        private static void Add(HashSet<string> facts, string scope, DescriptorProto message)
        {
            string name = $"{scope}.{message.Name}";
            facts.Add($"message {name}");
            facts.UnionWith(message.Field.Select(field =>
                $"field {name}.{field.Name} = {field.Number} {field.Label} {field.Type} {field.TypeName} deprecated {field.Options?.Deprecated ?? false}"));
            message.NestedType.ToList().ForEach(nested => Add(facts, name, nested));
            message.EnumType.ToList().ForEach(type => Add(facts, name, type));
        }

        private static void Add(HashSet<string> facts, string scope, EnumDescriptorProto type) =>
            facts.UnionWith(type.Value.Select(value => $"enum {scope}.{type.Name}.{value.Name} = {value.Number}"));
    }
}
