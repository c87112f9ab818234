using Vks.Runtime.Qemu;

namespace Vks.Tests.Runtime;

public sealed class QemuHostTscTests
{
    [Fact]
    public void The_rate_of_the_counter_is_read_from_cpuinfo()
    {
        Assert.Equal(2_596_132, HostTsc.ParseCpuMHz(["model name\t: x", "cpu MHz\t\t: 2596.132", "cpu MHz\t\t: 800.000"]));
        Assert.Null(HostTsc.ParseCpuMHz(["cpu MHz\t\t: unknown"]));
        Assert.Null(HostTsc.ParseCpuMHz([]));
    }
}
