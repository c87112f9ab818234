using CsCheck;
using Vks.Runtime.Machines;
using Vks.Spherelet;

namespace Vks.Tests.Spherelet.Options;

/// <summary>Where settings come from, which source wins, and what is refused.</summary>
public sealed class SphereletOptionsTests
{
    private static readonly Dictionary<string, string> s_none = [];

    [Fact]
    public void Defaults_are_valid() => Assert.Empty(SphereletOptionsLoader.Load(s_none, s_none, "/nowhere.json", fileRequired: false).Faults);

    [Fact]
    public void A_flag_wins_over_the_environment_and_the_environment_over_the_file()
    {
        using TempFile file = new("""{ "scratchMib": 100, "defaultVcpus": 2, "podSubnets": ["10.1.0.0/16", "fd00::/64"] }""");

        (SphereletOptions options, IReadOnlyList<string> faults) = SphereletOptionsLoader.Load(
            new Dictionary<string, string> { ["scratch-mib"] = "300" },
            new Dictionary<string, string> { ["VKS_SCRATCH_MIB"] = "200", ["VKS_ACCELERATOR"] = "tcg" },
            file.Path,
            fileRequired: true);

        Assert.Empty(faults);
        Assert.Equal((300, 2, AcceleratorChoice.Tcg), (options.ScratchMiB, options.DefaultVcpus, options.Accelerator));
        Assert.Equal(["10.1.0.0/16", "fd00::/64"], options.PodSubnets);
    }

    [Fact]
    public void All_faults_of_all_sources_are_told_at_once()
    {
        using TempFile file = new("""{ "scratchMb": 100, "rootDirectory": "relative" }""");

        IReadOnlyList<string> faults = SphereletOptionsLoader.Load(
            new Dictionary<string, string> { ["default-vcpus"] = "65" },
            new Dictionary<string, string> { ["VKS_LOG_LEVEL"] = "loud" },
            file.Path,
            fileRequired: true).Faults;

        string message = new OptionsException(faults).Message;
        Assert.Contains("'scratchMb'", message, StringComparison.Ordinal);
        Assert.Contains("root-directory must be an absolute path", message, StringComparison.Ordinal);
        Assert.Contains("DefaultVcpus", message, StringComparison.Ordinal);
        Assert.Contains("'loud'", message, StringComparison.Ordinal);
        Assert.Equal(4, faults.Count);
    }

    [Theory]
    [InlineData("metrics-address", "127.0.0.1:9100", true)]
    [InlineData("metrics-address", "[::1]:9100", true)]
    [InlineData("metrics-address", "", true)]
    [InlineData("metrics-address", "127.0.0.1", false)]
    [InlineData("metrics-address", "localhost:9100", false)]
    [InlineData("tracing-endpoint", "localhost:4317", true)]
    [InlineData("tracing-endpoint", "[::1]:4317", true)]
    [InlineData("tracing-endpoint", "https://collector.example:4317", true)]
    [InlineData("tracing-endpoint", "", true)]
    [InlineData("tracing-endpoint", "ftp://collector", false)]
    [InlineData("tracing-endpoint", "two words", false)]
    [InlineData("tracing-sampling-rate-per-million", "1000000", true)]
    [InlineData("tracing-sampling-rate-per-million", "1000001", false)]
    public void Addresses_of_metrics_and_traces_are_checked(string name, string value, bool good) => Assert.Equal(
        good, SphereletOptionsLoader.Load(new Dictionary<string, string> { [name] = value }, s_none, "/nowhere.json", fileRequired: false).Faults.Count == 0);

    [Fact]
    public void A_settings_file_that_was_named_has_to_be_there_and_be_json()
    {
        using TempFile broken = new("{ broken");

        Assert.Single(SphereletOptionsLoader.Load(s_none, s_none, "/nowhere.json", fileRequired: true).Faults);
        Assert.Single(SphereletOptionsLoader.Load(s_none, s_none, broken.Path, fileRequired: false).Faults);
    }

    [Theory]
    [InlineData("10.88.0.1/16")]
    [InlineData("10.88.0.0/31")]
    [InlineData("10.0.0.0/8,10.88.0.0/16")]
    [InlineData("pods")]
    [InlineData("")]
    public void Pod_subnets_that_cannot_be_are_refused(string subnets) =>
        Assert.Single(SphereletOptionsLoader.Load(new Dictionary<string, string> { ["pod-subnets"] = subnets }, s_none, "/nowhere.json", false).Faults);

    [Fact]
    public void Streaming_is_served_on_loopback_unless_it_is_said_otherwise()
    {
        SphereletOptions unset = SphereletOptionsLoader.Load(s_none, s_none, "/nowhere.json", false).Options;
        (SphereletOptions options, IReadOnlyList<string> faults) = SphereletOptionsLoader.Load(
            new Dictionary<string, string> { ["streaming-address"] = "::1", ["streaming-port"] = "10350" },
            new Dictionary<string, string> { ["VKS_STREAMING_IDLE_TIMEOUT_SECONDS"] = "60" },
            "/nowhere.json",
            false);

        Assert.Empty(faults);
        Assert.Equal(("127.0.0.1", 0, 14_400), (unset.StreamingAddress, unset.StreamingPort, unset.StreamingIdleTimeoutSeconds));
        Assert.Equal(("::1", 10350, 60), (options.StreamingAddress, options.StreamingPort, options.StreamingIdleTimeoutSeconds));
    }

    [Theory]
    [InlineData("streaming-address", "localhost")]
    [InlineData("streaming-address", "")]
    [InlineData("streaming-port", "65536")]
    [InlineData("streaming-port", "-1")]
    [InlineData("streaming-idle-timeout-seconds", "0")]
    [InlineData("streaming-idle-timeout-seconds", "86401")]
    public void Streaming_settings_that_cannot_be_are_refused_by_name(string setting, string value)
    {
        string fault = Assert.Single(SphereletOptionsLoader.Load(new Dictionary<string, string> { [setting] = value }, s_none, "/nowhere.json", false).Faults);

        Assert.Contains(setting.Replace("-", "", StringComparison.Ordinal), fault.Replace("-", "", StringComparison.Ordinal), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_variable_that_names_no_setting_is_noticed() =>
        Assert.Equal(["VKS_ROOT"], SphereletOptionsLoader.UnknownVariables(new Dictionary<string, string> { ["VKS_ROOT"] = "x", ["VKS_ROOT_DIRECTORY"] = "/x", ["VKS_CACHE"] = "/c" }));

    [Fact]
    public void No_text_makes_a_setting_throw_anything_but_a_format_fault() =>
        Gen.Select(Gen.Int[0, SphereletSettings.All.Count - 1].Select(static index => SphereletSettings.All[index]), Gen.String).Sample(static (setting, text) =>
        {
            // The loader turns FormatException into a fault; any other exception would escape and fail here.
            _ = SphereletOptionsLoader.Load(new Dictionary<string, string> { [setting.Name] = text }, s_none, "/nowhere.json", false);
        });

    private sealed class TempFile : IDisposable
    {
        public TempFile(string text) => File.WriteAllText(Path, text);

        public string Path { get; } = System.IO.Path.GetTempFileName();

        public void Dispose() => File.Delete(Path);
    }
}
